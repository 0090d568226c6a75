use super::*;

fn parse(text: &str) -> RedisConnection {
    RedisConnection::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A connection in short: hosts, TLS, user, password, database.
fn short(text: &str) -> (String, bool, Option<String>, Option<String>, i64) {
    let connection = parse(text);
    let RedisConnection { tls, user, password, database, .. } = connection.clone();
    (connection.to_string(), tls, user, password, database)
}

#[test]
fn urls() {
    for (text, hosts, tls, user, password, database) in [
        ("redis://localhost", "localhost:6379", false, None, None, 0),
        (" redis://localhost:7000/3 ", "localhost:7000", false, None, None, 3),
        ("REDISS://:pw@cache.example.com/", "cache.example.com:6379", true, None, Some("pw"), 0),
        ("redis://[::1]:7000", "[::1]:7000", false, None, None, 0),
        ("redis://u:p@[fe80::1]", "[fe80::1]:6379", false, Some("u"), Some("p"), 0),
        ("redis://a,b:2,[::1]:3", "a:6379,b:2,[::1]:3", false, None, None, 0),
        ("rediss://us%65r:p%40s%2Fs%3A%23%25@h:1", "h:1", true, Some("user"), Some("p@s/s:#%"), 0),
        // What can only be meant one way needs no encoding.
        ("redis://u:a:b@c=+@h:1", "h:1", false, Some("u"), Some("a:b@c=+"), 0),
        ("redis://h:1?protocol=resp3&cluster=true&db=2", "h:1", false, None, None, 2),
        (
            "rediss://:k@shop.redis.cache.windows.net",
            "shop.redis.cache.windows.net:6380",
            true,
            None,
            Some("k"),
            0,
        ),
        (
            "rediss://shop.westeurope.redis.azure.net",
            "shop.westeurope.redis.azure.net:10000",
            true,
            None,
            None,
            0,
        ),
    ] {
        let expected =
            (hosts.to_owned(), tls, user.map(str::to_owned), password.map(str::to_owned), database);
        assert_eq!(short(text), expected, "{text}");
    }
}

#[test]
fn azures_form() {
    for (text, hosts, tls, user, password, database) in [
        ("localhost", "localhost:6379", false, None, None, 0),
        (
            "shop.redis.cache.windows.net:6380,password=a2V5+/k=,ssl=True,abortConnect=False",
            "shop.redis.cache.windows.net:6380",
            true,
            None,
            Some("a2V5+/k="),
            0,
        ),
        (
            "shop.redis.cache.windows.net,password=k",
            "shop.redis.cache.windows.net:6380",
            true,
            None,
            Some("k"),
            0,
        ),
        (
            "shop.redis.cache.windows.net:6379,password=k,ssl=False",
            "shop.redis.cache.windows.net:6379",
            false,
            None,
            Some("k"),
            0,
        ),
        (
            "a:1, b , [::1]:3, PASSWORD = p:/?#@ , User=u , DefaultDatabase=4, ",
            "a:1,b:6379,[::1]:3",
            false,
            Some("u"),
            Some("p:/?#@"),
            4,
        ),
        ("h,ssl=yes,password=p://x", "h:6380", true, None, Some("p://x"), 0),
        (
            "h:1,allowAdmin=true,connectTimeout=5000,syncTimeout=1,name=x,tiebreaker=,version=6.0,\
             protocol=resp3,cluster=true,keepAlive=60,defaultDatabase=",
            "h:1",
            false,
            None,
            None,
            0,
        ),
    ] {
        let expected =
            (hosts.to_owned(), tls, user.map(str::to_owned), password.map(str::to_owned), database);
        assert_eq!(short(text), expected, "{text}");
    }
}

#[test]
fn options_are_taken() {
    for text in ["redis://h?protocol=3&cluster=true", "h,protocol=RESP3,cluster=True"] {
        let connection = parse(text);
        assert_eq!(connection.protocol, ProtocolVersion::RESP3, "{text}");
        assert!(connection.cluster, "{text}");
    }
    let connection = parse("redis://h?protocol=resp2&cluster=false");
    assert_eq!(connection.protocol, ProtocolVersion::RESP2);
    assert!(!connection.cluster);
}

#[test]
fn azure_without_a_password_is_entra_id() {
    for (text, needs) in [
        ("rediss://shop.redis.cache.windows.net:6380", true),
        ("SHOP.redis.cache.windows.net:6380,ssl=True,password=", true),
        ("shop.westeurope.redis.azure.net:10000,user=00000000-0000-0000-0000-000000000001", true),
        ("shop.westeurope.redisenterprise.cache.azure.net:10000", true),
        ("rediss://:key@shop.redis.cache.windows.net:6380", false),
        ("rediss://redis.cache.windows.net.example.com", false),
        ("rediss://cache.example.com?entraId=true", true),
        ("cache.example.com,ssl=True,entraId=true,user=u", true),
        ("redis://[::1]:1?entraId=true", true),
        ("redis://localhost", false),
    ] {
        assert_eq!(parse(text).needs_entra_id(), needs, "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_without_the_values() {
    for (text, problem) in [
        ("", "is empty"),
        ("  ", "is empty"),
        ("redis://", "lacks a host"),
        ("redis://u:hunter2@", "lacks a host"),
        ("password=hunter2", "names no host"),
        ("http://hunter2", "unknown scheme"),
        ("unix:///hunter2", "unknown scheme"),
        ("redis://h:hunter2", "a port that is no number"),
        ("redis://h:0", "a port that is no number"),
        ("redis://h:65536", "a port that is no number"),
        ("h:1:2", "in brackets"),
        ("redis://[hunter2]:1", "no IPv6 address"),
        ("redis://[::1]6379", "a port that is no number"),
        ("redis://h/hunter2", "a database that is not a number"),
        ("redis://h/-1", "a database that is not a number"),
        ("h,defaultDatabase=hunter2", "a database that is not a number"),
        ("redis://u:hun/ter2@h:1", "percent-encoded"),
        ("redis://u:hun?ter2@h:1", "percent-encoded"),
        ("redis://u:hun#ter2@h:1", "percent-encoded"),
        ("redis://u:%ff%fehunter2@h:1", "not UTF-8"),
        ("redis://h/hunter2@x", "percent-encoded"),
        ("redis://h hunter2:1", "characters that no host has"),
        ("redis://h?protocol=hunter2", "neither resp2 nor resp3"),
        ("redis://h?timeout=hunter2", "unknown option \"timeout\""),
        ("redis://h?hunter2=x", "unknown option (part 1)"),
        ("h,colour=hunter2", "unknown option \"colour\""),
        ("h,$CLUSTER=hunter2", "unknown option (part 2)"),
        ("aHVudGVyMgo1aHVudGVyMgohunter2=", "unknown option (part 1)"),
        ("h,ssl=hunter2", "ssl set to something else"),
        ("h,password=a,hunter2", "without \"=\" after the first option (part 3)"),
        ("h,password=a,hunter=2", "right after the password (part 3)"),
        ("h,serviceName=hunter2", "serviceName, which is not supported"),
        ("h,user=hunter2", "a user but no password"),
        ("redis://hunter2@h", "a user but no password"),
        ("h,password=hunter2,entraId=true", "both a password and entraId=true"),
        ("redis://cache.example.com?entraId=true", "needs TLS"),
        ("redis://shop.redis.cache.windows.net", "needs TLS"),
        ("shop.redis.cache.windows.net,ssl=False", "needs TLS"),
    ] {
        let error = match RedisConnection::parse(text) {
            Ok(connection) => panic!("{text} was understood as {connection:?}"),
            Err(error) => error.to_string(),
        };
        assert!(error.starts_with("REDIS_CONNECTION_STRING "), "{error}");
        assert!(error.contains(problem), "{text}: {error}");
        assert!(!error.contains("hunter"), "{text}: {error}");
    }
}

#[test]
fn no_secret_is_shown() {
    let connection = parse("rediss://user:hunter2@h:1").with_root_certificates(b"pem".to_vec());
    let shown = format!("{connection:?} {connection}");
    assert!(shown.contains("user") && shown.contains("h:1"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}
