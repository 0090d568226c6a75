//! Microsoft Entra ID instead of a password: the user is the identity's object id, the password a
//! token, renewed on live connections before it expires.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use azure_core::credentials::{AccessToken, TokenCredential};
use futures::{Stream, stream};
use redis::{BasicAuth, RedisError, RedisResult, StreamingCredentialsProvider};

use super::fault::Trouble;
use crate::cluster::{Fault, azure::identity::refusal};

/// What a token must be good for.
const SCOPE: &str = "https://redis.azure.com/.default";

/// How long before its end a token is replaced; sooner if it lives less than four times as long.
const MARGIN: Duration = Duration::from_secs(300);

/// How long to wait for another token where the credential gives the same again, or none.
const AGAIN: Duration = Duration::from_secs(30);

/// Who a worker is for Azure.
#[derive(Clone)]
pub struct RedisIdentity {
    credential: Arc<dyn TokenCredential>,
    object_id: fn(&str) -> Option<String>,
    user: Option<String>,
}

impl RedisIdentity {
    /// Tokens come from `credential`; `object_id` reads the identity's object id (the claim `oid`)
    /// in one.
    pub fn new(
        credential: Arc<dyn TokenCredential>,
        object_id: fn(&str) -> Option<String>,
    ) -> Self {
        Self { credential, object_id, user: None }
    }

    /// Takes the user that the connection string names instead of the object id, if it names one.
    pub(super) fn with_user(mut self, user: Option<String>) -> Self {
        self.user = user;
        self
    }

    /// A user and password that are good at present, and for how long they are.
    pub(super) async fn pass(&self) -> Result<Pass, Trouble> {
        let token = self.credential.get_token(&[SCOPE], None).await.map_err(|error| {
            const OR_A_PASSWORD: &str = "or put a password into REDIS_CONNECTION_STRING";
            match refusal(&error) {
                Some(refusal) if !refusal.passing => {
                    Trouble::refused(format!("{refusal}; {OR_A_PASSWORD}"))
                }
                Some(refusal) => Trouble::new(Fault::Unavailable, refusal.to_string()),
                None => {
                    let text = error.to_string();
                    let said = text.lines().next().unwrap_or_default();
                    let detail = format!(
                        "no token of Microsoft Entra ID ({said}); sign in (az login), give this \
                         machine an identity, {OR_A_PASSWORD}"
                    );
                    Trouble::new(Fault::Unavailable, detail)
                }
            }
        })?;
        let secret = token.token.secret();
        let user = self.user.clone().or_else(|| (self.object_id)(secret)).ok_or_else(|| {
            Trouble::refused(
                "the token of Microsoft Entra ID names no object id; put user=<object id> into \
                 REDIS_CONNECTION_STRING",
            )
        })?;
        let auth = BasicAuth::new(user, secret.to_owned());
        Ok(Pass { auth, left: time_left(&token) })
    }
}

impl fmt::Debug for RedisIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisIdentity").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A user and password for a time.
pub(super) struct Pass {
    pub(super) auth: BasicAuth,
    left: Duration,
}

fn time_left(token: &AccessToken) -> Duration {
    let left = token.expires_on - azure_core::time::OffsetDateTime::now_utc();
    Duration::try_from(left).unwrap_or_default()
}

/// How long to keep a token that has so much time left.
fn keep_for(left: Duration) -> Duration {
    left.saturating_sub(MARGIN.min(left / 4))
}

impl StreamingCredentialsProvider for RedisIdentity {
    /// The present token at once, then the next whenever one is due.
    fn subscribe(&self) -> Pin<Box<dyn Stream<Item = RedisResult<BasicAuth>> + Send + 'static>> {
        let start = (self.clone(), Duration::ZERO, String::new());
        Box::pin(stream::unfold(start, |(identity, mut wait, last)| async move {
            loop {
                tokio::time::sleep(wait).await;
                match identity.pass().await {
                    // Still the one in use: the credential keeps it nearly to its end.
                    Ok(pass) if pass.auth.password() == last => {
                        wait = AGAIN.min(pass.left / 4).max(Duration::from_secs(1));
                    }
                    Ok(pass) => {
                        let (wait, last) = (keep_for(pass.left), pass.auth.password().to_owned());
                        return Some((Ok(pass.auth), (identity, wait, last)));
                    }
                    Err(trouble) => {
                        let kind = redis::ErrorKind::AuthenticationFailed;
                        let error = RedisError::from((kind, "no token", trouble.detail));
                        return Some((Err(error), (identity, AGAIN, last)));
                    }
                }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_replaced_before_their_end() {
        let seconds = Duration::from_secs;
        assert_eq!(keep_for(seconds(3600)), seconds(3300));
        assert_eq!(keep_for(seconds(80)), seconds(60));
        assert_eq!(keep_for(Duration::ZERO), Duration::ZERO);
    }
}
