use super::{KEY, NOW, SIGNATURE, connection};
use crate::{
    cluster::azure::queue::{StorageConnection, connection::Access},
    engine::Timestamp,
};

fn problem(text: &str) -> String {
    StorageConnection::parse_at(text, NOW)
        .map(|found| format!("{found:?}"))
        .unwrap_err()
        .to_string()
}

#[test]
fn every_form_leads_to_an_endpoint_an_account_and_a_way_in() {
    let (key, signature) = ("account key", "shared access signature");
    let entra = "Microsoft Entra ID";
    let cases = [
        (
            format!(
                "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={KEY};EndpointSuffix=core.windows.net"
            ),
            ("https://shop.queue.core.windows.net", "shop", key),
        ),
        (
            format!(" accountname=shop ; accountkey={KEY} ;EndpointSuffix=core.chinacloudapi.cn; "),
            ("https://shop.queue.core.chinacloudapi.cn", "shop", key),
        ),
        (
            format!(
                "AccountName=shop;AccountKey={KEY};QueueEndpoint=http://127.0.0.1:7001/shop/;\
                 BlobEndpoint=http://127.0.0.1:7000/shop;TableEndpoint=x;FileEndpoint=y"
            ),
            ("http://127.0.0.1:7001/shop", "shop", key),
        ),
        (
            format!("AccountName=shop;AccountKey={KEY};QueueEndpoint=http://azurite:10001/shop"),
            ("http://azurite:10001/shop", "shop", key),
        ),
        (
            "UseDevelopmentStorage=true".to_owned(),
            ("http://127.0.0.1:10001/devstoreaccount1", "devstoreaccount1", key),
        ),
        (
            "UseDevelopmentStorage=True;DevelopmentStorageProxyUri=http://host.docker.internal"
                .to_owned(),
            ("http://host.docker.internal:10001/devstoreaccount1", "devstoreaccount1", key),
        ),
        (
            format!(
                "QueueEndpoint=https://shop.queue.core.windows.net/;SharedAccessSignature={SIGNATURE}"
            ),
            ("https://shop.queue.core.windows.net", "shop", signature),
        ),
        (
            format!("AccountName=shop;SharedAccessSignature=?{SIGNATURE}"),
            ("https://shop.queue.core.windows.net", "shop", signature),
        ),
        (
            format!("QueueEndpoint=https://shop.queue.core.windows.net/?{SIGNATURE}"),
            ("https://shop.queue.core.windows.net", "shop", signature),
        ),
        (
            format!("https://shop.queue.core.windows.net?{SIGNATURE}"),
            ("https://shop.queue.core.windows.net", "shop", signature),
        ),
        (
            format!("http://[::1]:10001/devstoreaccount1?{SIGNATURE}"),
            ("http://[::1]:10001/devstoreaccount1", "devstoreaccount1", signature),
        ),
        (
            "https://shop.z12.queue.storage.azure.net".to_owned(),
            ("https://shop.z12.queue.storage.azure.net", "shop", entra),
        ),
        ("AccountName=shop".to_owned(), ("https://shop.queue.core.windows.net", "shop", entra)),
        (
            "QueueEndpoint=https://queues.example.com".to_owned(),
            ("https://queues.example.com", "queues.example.com", entra),
        ),
        (
            "HTTPS://shop.queue.core.windows.net/".to_owned(),
            ("https://shop.queue.core.windows.net", "shop", entra),
        ),
    ];
    for (text, expected) in cases {
        let found = connection(&text);
        assert_eq!((found.endpoint(), found.account(), found.access_name()), expected, "{text}");
    }
}

#[test]
fn what_can_not_work_is_refused_with_the_reason() {
    let sas = |part: &str, instead: &str| {
        assert!(SIGNATURE.contains(part));
        format!("AccountName=shop;SharedAccessSignature={}", SIGNATURE.replace(part, instead))
    };
    let cases = [
        (String::new(), "is empty"),
        ("AccountName=shop;AccountKey=c2VjcmV0*".to_owned(), "AccountKey that is not base64"),
        (format!("AccountKey={KEY}"), "does not say where the queues are"),
        (
            format!("QueueEndpoint=https://shop.queue.core.windows.net;AccountKey={KEY}"),
            "lacks AccountName",
        ),
        (format!("AccountName=shop;AccountKey={KEY};Shared={KEY}"), "unknown member (part 3)"),
        ("BlobEndpoint=https://shop.blob.core.windows.net".to_owned(), "QueueEndpoint=https://"),
        (format!("AccountName=c2Vj/cmV0;AccountKey={KEY}"), "AccountName that can't be one"),
        (
            "AccountName=shop;EndpointSuffix=c2VjcmV0/x".to_owned(),
            "EndpointSuffix that is no domain",
        ),
        ("AccountName=shop;DefaultEndpointsProtocol=c2VjcmV0".to_owned(), "neither http nor https"),
        ("QueueEndpoint=shop.c2VjcmV0".to_owned(), "QueueEndpoint is no http or https URL"),
        ("ftp://c2VjcmV0".to_owned(), "without \"=\""),
        ("https://".to_owned(), "the URL is no http or https URL"),
        ("https://c2VjcmV0:c2VjcmV0@x.net".to_owned(), "has a user or password"),
        ("https://shop.blob.core.windows.net".to_owned(), "is that of the blob service"),
        ("https://shop.queue.core.windows.net/c2VjcmV0".to_owned(), "must not have a queue's name"),
        ("http://127.0.0.1:1/devstoreaccount1/c2VjcmV0".to_owned(), "must not have a queue's name"),
        ("UseDevelopmentStorage=c2VjcmV0".to_owned(), "can only be true"),
        (
            format!("UseDevelopmentStorage=true;AccountKey={KEY}"),
            "both UseDevelopmentStorage and AccountKey",
        ),
        (
            "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=c2VjcmV0".to_owned(),
            "DevelopmentStorageProxyUri that is no http URL",
        ),
        (
            "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://u:c2VjcmV0@x".to_owned(),
            "DevelopmentStorageProxyUri that is no http URL",
        ),
        (
            "AccountName=shop;DevelopmentStorageProxyUri=http://x".to_owned(),
            "means nothing without UseDevelopmentStorage",
        ),
        (
            format!("AccountName=shop;AccountKey={KEY};SharedAccessSignature={SIGNATURE}"),
            "both an AccountKey and a shared access signature",
        ),
        // In clear text over a network.
        (
            format!("DefaultEndpointsProtocol=http;AccountName=shop;AccountKey={KEY}"),
            "would send messages in clear text",
        ),
        (format!("http://8.8.8.8/shop?{SIGNATURE}"), "would send messages in clear text"),
        ("http://127.0.0.1:10001/devstoreaccount1".to_owned(), "works over https only"),
        (
            format!("http://127.0.0.1:10001/devstoreaccount1?{SIGNATURE}")
                .replace("https,http", "https"),
            "signature for https only",
        ),
        // Signatures.
        (sas("sig=c2VjcmV0IHNpZ25hdHVyZQ%3D%3D", "sig="), "without its sig part"),
        (sas("ss=q&srt=sco&", ""), "for a single queue"),
        (sas("ss=q", "ss=bft"), "not for queues"),
        (sas("srt=sco", "srt=s"), "not for both queues and their messages"),
        (sas("sp=raup", "sp=rl"), "without the permissions Add, Update, Process"),
        (sas("se=2030-01-01T00:00:00Z", "se=c2VjcmV0"), "without a readable expiry"),
        (sas("se=2030-01-01T00:00:00Z", "se=2026-05-28"), "expired at 2026-05-28T00:00:00.000Z"),
        (
            sas("se=2030-01-01T00:00:00Z", "se=2026-05-28T20:26Z"),
            "expired at 2026-05-28T20:26:00.000Z: make a new one",
        ),
    ];
    for (text, part) in cases {
        let problem = problem(&text);
        assert!(problem.starts_with("AZURE_STORAGE_CONNECTION_STRING "), "{problem}");
        assert!(problem.contains(part), "{text}: {problem}");
        for secret in ["c2Vj", KEY] {
            assert!(!problem.contains(secret), "{text}: {problem}");
        }
    }
}

#[test]
fn a_signature_is_good_until_the_second_in_which_it_expires() {
    let text = format!("AccountName=shop;SharedAccessSignature={SIGNATURE}")
        .replace("2030-01-01T00:00:00Z", "2026-05-28T20:26:40Z");
    assert_eq!(Timestamp::parse_rfc3339("2026-05-28T20:26:40Z"), Some(NOW));
    assert!(problem(&text).contains("expired"));
    let before = Timestamp::from_seconds(NOW.seconds() - 1);
    let found = StorageConnection::parse_at(&text, before).unwrap();
    assert_eq!(found.expires_at(), Some(NOW));
}

#[test]
fn nothing_that_is_shown_holds_a_secret() {
    let development = connection("UseDevelopmentStorage=true");
    let Access::Key(well_known) = development.access() else { panic!("a key is expected") };
    for text in [
        format!("AccountName=shop;AccountKey={KEY}"),
        format!("https://shop.queue.core.windows.net/?{SIGNATURE}"),
        "UseDevelopmentStorage=true".to_owned(),
    ] {
        let found = connection(&text);
        let shown = format!("{found:?} {}", found.endpoint());
        assert!(shown.contains(found.account()), "{shown}");
        for secret in ["c2Vj", "sig=", KEY, well_known.secret()] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn the_signature_goes_into_the_address_of_a_queue_and_is_not_changed_by_it() {
    let url = connection(&format!("https://shop.queue.core.windows.net?{SIGNATURE}"))
        .queue_url("flowcraft-jobs");
    assert_eq!(
        url.as_str(),
        format!("https://shop.queue.core.windows.net/flowcraft-jobs?{SIGNATURE}")
    );
    // A plus sign that nobody encoded would arrive as a space.
    let raw = SIGNATURE.replace("c2VjcmV0IHNpZ25hdHVyZQ%3D%3D", "a+b/c==");
    let url = connection(&format!("https://shop.queue.core.windows.net?{raw}")).queue_url("q");
    let sig =
        url.query_pairs().find(|(name, _)| name == "sig").map(|(_, value)| value.into_owned());
    assert_eq!(sig.as_deref(), Some("a+b/c=="));
    let url = connection("UseDevelopmentStorage=true").queue_url("q");
    assert_eq!(url.as_str(), "http://127.0.0.1:10001/devstoreaccount1/q");
}
