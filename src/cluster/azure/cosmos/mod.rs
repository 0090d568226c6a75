//! Run state in Azure Cosmos DB.
