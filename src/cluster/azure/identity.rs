//! Microsoft Entra ID: tokens without keys.
