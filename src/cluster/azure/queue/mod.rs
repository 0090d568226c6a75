//! Jobs in Azure Storage Queues.
