#![allow(clippy::unwrap_used)]

mod calls;
mod connection;
mod faults;
mod messages;
mod shared_key;

use super::StorageConnection;
use crate::engine::Timestamp;

/// A time before the signatures in these tests expire.
const NOW: Timestamp = Timestamp::from_seconds(1_780_000_000);

/// A key that is no account's: base64 of "a key that nobody has".
const KEY: &str = "YSBrZXkgdGhhdCBub2JvZHkgaGFz";

/// A signature that lets one in until 2030.
const SIGNATURE: &str = "sv=2021-12-02&ss=q&srt=sco&sp=raup&se=2030-01-01T00:00:00Z\
                         &spr=https,http&sig=c2VjcmV0IHNpZ25hdHVyZQ%3D%3D";

fn connection(text: &str) -> StorageConnection {
    StorageConnection::parse_at(text, NOW).unwrap()
}

fn with_key() -> StorageConnection {
    connection(&format!("AccountName=shop;AccountKey={KEY}"))
}

fn with_signature() -> StorageConnection {
    connection(&format!("AccountName=shop;SharedAccessSignature={SIGNATURE}"))
}

fn with_entra() -> StorageConnection {
    connection("AccountName=shop")
}
