#![allow(clippy::unwrap_used)]

use std::{
    collections::HashMap, os::unix::process::ExitStatusExt as _, process::ExitStatus, sync::Mutex,
};

use azure_core::http::{AsyncRawResponse, HttpClient, StatusCode, headers::Headers};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::cluster::{Fault, JobQueue as _, Lane, StorageConnection, StorageQueue};

const SCOPE: &str = "https://storage.azure.com/.default";

/// What the token services and the command-line tools do, and what they were asked.
#[derive(Debug)]
struct World {
    /// What the metadata service does.
    machine: Machine,
    /// The status and body with which tokens are asked for at an authority.
    authority: (u16, String),
    /// What the tools print; those that are missing are not installed.
    tools: HashMap<&'static str, String>,
    asked: Mutex<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Machine {
    /// Packets to the address vanish.
    Elsewhere,
    /// Another cloud's metadata service.
    OtherCloud,
    /// Azure's, with an identity or without one.
    Azure { identity: bool },
}

impl Default for World {
    fn default() -> Self {
        Self {
            machine: Machine::Elsewhere,
            authority: (
                200,
                r#"{"access_token":"from the authority","expires_in":3600}"#.to_owned(),
            ),
            tools: HashMap::new(),
            asked: Mutex::default(),
        }
    }
}

impl World {
    fn chain(self: &Arc<Self>, variables: &[(&str, &str)]) -> Chain {
        let variable = |wanted: &str| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        };
        Chain::new(&Surroundings {
            variable: &variable,
            transport: Some(Transport::new(self.clone())),
            executor: self.clone(),
        })
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    fn ask(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

#[async_trait]
impl HttpClient for World {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let url = request.url();
        let host = url.host_str().unwrap_or_default();
        let (status, body) = if host == "169.254.169.254" {
            let is_probe = request.headers().get_optional_str(&"metadata".into()).is_none();
            self.ask(if is_probe {
                "probe".to_owned()
            } else {
                format!("machine?{}", url.query().unwrap())
            });
            match (self.machine, is_probe) {
                (Machine::Elsewhere, _) => std::future::pending().await,
                (Machine::OtherCloud, _) => (404, String::new()),
                (Machine::Azure { .. }, true) => (400, String::new()),
                (Machine::Azure { identity: true }, false) => {
                    let expires_on = OffsetDateTime::now_utc().unix_timestamp() + 3600;
                    (
                        200,
                        format!(
                            r#"{{"access_token":"from the machine","expires_on":"{expires_on}","token_type":"Bearer","resource":"r"}}"#
                        ),
                    )
                }
                (Machine::Azure { identity: false }, false) => (
                    400,
                    r#"{"error":"invalid_request","error_description":"Identity not found"}"#
                        .to_owned(),
                ),
            }
        } else {
            self.ask(format!("https://{host}{}", url.path()));
            self.authority.clone()
        };
        Ok(AsyncRawResponse::from_bytes(StatusCode::from(status), Headers::new(), body))
    }
}

#[async_trait]
impl Executor for World {
    async fn run(&self, _program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        let line = args.last().unwrap().to_string_lossy();
        let tool = line.split(" && ").last().unwrap().split(' ').next().unwrap();
        self.ask(tool.to_owned());
        let (status, stdout) = match self.tools.get(tool) {
            Some(printed) => (0, printed.clone()),
            // As a shell ends that does not find a command.
            None => (127 << 8, String::new()),
        };
        Ok(Output {
            status: ExitStatus::from_raw(status),
            stdout: stdout.into(),
            stderr: Vec::new(),
        })
    }
}

fn az_prints(seconds: i64) -> String {
    let expires_on = OffsetDateTime::now_utc().unix_timestamp() + seconds;
    format!(r#"{{"accessToken":"from az","expires_on":{expires_on},"tokenType":"Bearer"}}"#)
}

async fn token(chain: &Chain) -> Result<String, String> {
    match chain.get_token(&[SCOPE], None).await {
        Ok(token) => Ok(token.token.secret().to_owned()),
        Err(error) => Err(refusal(&error).unwrap().to_string()),
    }
}

const PRINCIPAL: [(&str, &str); 3] = [
    ("AZURE_TENANT_ID", "tenant"),
    ("AZURE_CLIENT_ID", "client"),
    ("AZURE_CLIENT_SECRET", "c2VjcmV0"),
];

#[tokio::test(start_paused = true)]
async fn without_any_source_each_says_why_and_nothing_hangs() {
    let world = Arc::new(World::default());
    let chain = world.chain(&[]);
    let started = tokio::time::Instant::now();
    let error = chain.get_token(&[SCOPE], None).await.unwrap_err();
    assert!(started.elapsed() <= PROBE + Duration::from_millis(10), "{:?}", started.elapsed());
    let refusal = refusal(&error).unwrap();
    assert!(!refusal.passing);
    assert_eq!(
        refusal.to_string(),
        "no token of Microsoft Entra ID: workload identity: AZURE_FEDERATED_TOKEN_FILE is not set; \
         client secret: AZURE_CLIENT_SECRET is not set; managed identity: this is no machine of \
         Azure's; Azure CLI: az not found on PATH; Azure Developer CLI: azd not found on PATH; \
         sign in with \"az login\", or give this machine or pod an identity of its own"
    );
    assert_eq!(world.asked(), ["probe", "az", "azd"]);
}

#[tokio::test]
async fn the_source_that_works_is_remembered_and_its_tokens_are_kept() {
    let tools = HashMap::from([("az", az_prints(3600))]);
    let world = Arc::new(World { machine: Machine::OtherCloud, tools, ..World::default() });
    let chain = world.chain(&[]);
    assert_eq!(token(&chain).await.as_deref(), Ok("from az"));
    assert_eq!(token(&chain).await.as_deref(), Ok("from az"));
    assert_eq!(world.asked(), ["probe", "az"]);
    // Another scope is another token, from the same source.
    chain.get_token(&["https://redis.azure.com/.default"], None).await.unwrap();
    assert_eq!(world.asked(), ["az"]);
}

#[tokio::test]
async fn who_wait_for_the_same_token_ask_once() {
    let tools = HashMap::from([("az", az_prints(3600))]);
    let world = Arc::new(World { machine: Machine::OtherCloud, tools, ..World::default() });
    let chain = world.chain(&[]);
    let (a, b, c) = tokio::join!(token(&chain), token(&chain), token(&chain));
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(world.asked(), ["probe", "az"]);
}

#[tokio::test]
async fn a_token_is_replaced_before_it_expires_and_used_to_its_end_if_it_can_not_be() {
    let tools = HashMap::from([("az", az_prints(200))]);
    let world = Arc::new(World { machine: Machine::OtherCloud, tools, ..World::default() });
    let chain = world.chain(&[]);
    assert!(token(&chain).await.is_ok());
    assert!(token(&chain).await.is_ok());
    assert_eq!(world.asked(), ["probe", "az", "az"]);

    let signed_out = Arc::new(World { machine: Machine::OtherCloud, ..World::default() });
    let later = signed_out.chain(&[]);
    for seconds in [200, -1] {
        let expires_on = OffsetDateTime::now_utc() + azure_core::time::Duration::seconds(seconds);
        let old = AccessToken::new("the old one", expires_on);
        later.tokens.write().unwrap().insert(SCOPE.to_owned(), old);
        let found = token(&later).await;
        assert_eq!(found.as_deref().ok(), (seconds > 0).then_some("the old one"));
    }
}

#[tokio::test]
async fn an_azure_machine_gives_its_identity_or_the_one_that_is_named() {
    let world = Arc::new(World { machine: Machine::Azure { identity: true }, ..World::default() });
    assert_eq!(token(&world.chain(&[])).await.as_deref(), Ok("from the machine"));
    let resource = "api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com";
    assert_eq!(world.asked(), ["probe".to_owned(), format!("machine?{resource}")]);
    let named = world.chain(&[("AZURE_CLIENT_ID", "client")]);
    assert_eq!(token(&named).await.as_deref(), Ok("from the machine"));
    assert_eq!(world.asked(), ["probe".to_owned(), format!("machine?{resource}&client_id=client")]);

    let tools = HashMap::from([("az", az_prints(3600))]);
    let machine = Machine::Azure { identity: false };
    let world = Arc::new(World { machine, tools, ..World::default() });
    assert_eq!(token(&world.chain(&[])).await.as_deref(), Ok("from az"));
}

#[tokio::test]
async fn a_client_secret_is_exchanged_and_nobody_else_is_asked() {
    let tools = HashMap::from([("az", az_prints(3600))]);
    let world = Arc::new(World { tools: tools.clone(), ..World::default() });
    assert_eq!(token(&world.chain(&PRINCIPAL)).await.as_deref(), Ok("from the authority"));
    assert_eq!(world.asked(), ["https://login.microsoftonline.com/tenant/oauth2/v2.0/token"]);

    let refused = r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1","error_codes":[7000215]}"#;
    let world = Arc::new(World { tools, authority: (401, refused.to_owned()), ..World::default() });
    let chain = world.chain(&PRINCIPAL);
    let error = chain.get_token(&[SCOPE], None).await.unwrap_err();
    let refusal = refusal(&error).unwrap();
    assert!(!refusal.passing);
    let said = refusal.to_string();
    assert!(
        said.contains("client secret: AADSTS7000215: Invalid client secret provided."),
        "{said}"
    );
    assert!(!said.contains("Trace ID") && !said.contains("c2Vj"), "{said}");
    assert_eq!(world.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_is_down_may_be_up_later() {
    let authority = (503, "{}".to_owned());
    let world = Arc::new(World { authority, ..World::default() });
    let error = world.chain(&PRINCIPAL).get_token(&[SCOPE], None).await.unwrap_err();
    let refusal = refusal(&error).unwrap();
    assert!(refusal.passing, "{refusal}");
    assert!(!refusal.to_string().contains("az login"), "{refusal}");
    assert_eq!(world.asked().len(), 3, "it is asked three times");
}

#[tokio::test]
async fn a_pod_exchanges_the_token_that_its_cluster_vouches_for() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from the cluster").unwrap();
    let path = file.path().to_string_lossy().into_owned();
    let variables = [
        ("AZURE_FEDERATED_TOKEN_FILE", path.as_str()),
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_CLIENT_ID", "client"),
    ];
    let world = Arc::new(World::default());
    assert_eq!(token(&world.chain(&variables)).await.as_deref(), Ok("from the authority"));
    assert_eq!(world.asked(), ["https://login.microsoftonline.com/tenant/oauth2/v2.0/token"]);

    // The file may come later than the process.
    let late = [("AZURE_FEDERATED_TOKEN_FILE", "/nowhere/token"), variables[1], variables[2]];
    let chain = world.chain(&late);
    assert!(token(&chain).await.unwrap_err().contains("workload identity: failed to read"));
    assert_eq!(world.asked(), [""; 0], "no other identity is meant");
}

#[tokio::test]
async fn a_queue_without_a_token_says_whether_to_wait_or_to_sign_in() {
    let connection = StorageConnection::parse("AccountName=shop").unwrap();
    let down = World { authority: (400, "{}".to_owned()), ..World::default() };
    let signed_out = World { machine: Machine::OtherCloud, ..World::default() };
    let hidden = World { authority: (503, "{}".to_owned()), ..World::default() };
    for (world, variables, fault, part) in [
        (down, &PRINCIPAL[..], Fault::Refused, "client secret: "),
        (signed_out, &[], Fault::Refused, "sign in with \"az login\""),
        (hidden, &PRINCIPAL[..], Fault::Unavailable, "client secret: "),
    ] {
        let world = Arc::new(world);
        let chain: Arc<dyn TokenCredential> = Arc::new(world.chain(variables));
        let transport = Transport::new(world.clone());
        let queue = StorageQueue::over(&connection, "jobs", Some(&chain), &transport).unwrap();
        let error = queue.depth(Lane::Jobs).await.unwrap_err();
        assert_eq!(error.fault, fault, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        let asked = world.asked();
        assert!(
            !asked.iter().any(|what| what.contains("shop")),
            "nothing goes to the queue: {asked:?}"
        );
    }
}

#[test]
fn the_object_id_is_read_from_a_token() {
    let jwt = |payload: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload));
    let oid = "0b3c4c1e-5f0a-4f62-9d4b-0d6c6ad0d5a7";
    let claims = format!(r#"{{"aud":"https://redis.azure.com","oid":"{oid}","name":"ö"}}"#);
    assert_eq!(object_id(&jwt(&claims)).as_deref(), Some(oid));
    for odd in ["", "a", "a.b.c", "a.!.c", &jwt("{}"), &jwt(r#"{"oid":1}"#), &jwt("not JSON")] {
        assert_eq!(object_id(odd), None, "{odd:?}");
    }
}

/// The SDK reads where App Service's token service is from the environment of the process, so this
/// runs itself again with another environment.
#[tokio::test]
async fn an_app_asks_the_token_service_that_its_environment_names() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/msi/token", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let expires_on = OffsetDateTime::now_utc().unix_timestamp() + 3600;
        let body = format!(
            r#"{{"access_token":"from the app's service","expires_on":"{expires_on}","token_type":"Bearer","resource":"r"}}"#
        );
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(head).unwrap().to_lowercase()
    });
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cluster::azure::identity::tests::as_an_app", "--ignored", "--nocapture"])
        .env_clear()
        .env("IDENTITY_ENDPOINT", endpoint)
        .env("IDENTITY_HEADER", "the-header")
        // A proxy for the internet must not get what is for the machine next door.
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    let head = serving.await.unwrap();
    assert!(head.starts_with("get /msi/token?"), "{head}");
    assert!(head.contains("x-identity-header: the-header"), "{head}");
    assert!(head.contains("resource=https%3a%2f%2fstorage.azure.com"), "{head}");
}

#[tokio::test]
#[ignore = "runs in a process of its own, which the test above starts"]
async fn as_an_app() {
    let token = credential().get_token(&[SCOPE], None).await.unwrap();
    assert_eq!(token.token.secret(), "from the app's service");
}
