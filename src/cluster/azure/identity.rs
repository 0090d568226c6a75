//! Microsoft Entra ID: tokens without keys.

use std::sync::Arc;

use azure_core::credentials::TokenCredential;

/// TEMP
pub(super) fn credential() -> azure_core::Result<Arc<dyn TokenCredential>> {
    let credential = azure_identity::DeveloperToolsCredential::new(None)?;
    Ok(credential)
}
