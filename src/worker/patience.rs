//! Calls to services are tried again when they fail for a passing reason, and how each service
//! fares is remembered: while one is away, no new work is taken.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use tokio::sync::watch;

use crate::cluster::{ClusterError, Fault, Service};

/// How often a call is tried before its failure counts.
const TRIES: u32 = 6;
/// The pause after the first failure; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause that a service is given when it asks for one.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

/// Tries calls again, and knows which services are ill.
#[derive(Debug)]
pub(crate) struct Patience {
    random: Mutex<SmallRng>,
    ill: watch::Sender<BTreeMap<Service, String>>,
}

impl Patience {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let random = seed.map_or_else(SmallRng::from_os_rng, SmallRng::seed_from_u64);
        Self { random: Mutex::new(random), ill: watch::Sender::new(BTreeMap::new()) }
    }

    /// A number that is never given twice, as far as chance goes.
    pub(crate) fn nonce(&self) -> u64 {
        self.random().random()
    }

    /// A duration between half of the given one and the given one.
    pub(crate) fn jitter(&self, duration: Duration) -> Duration {
        duration.mul_f64(self.random().random_range(0.5..1.0))
    }

    fn random(&self) -> std::sync::MutexGuard<'_, SmallRng> {
        self.random.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The services whose last call failed for a passing reason, with what they said.
    pub(crate) fn ill(&self) -> watch::Receiver<BTreeMap<Service, String>> {
        self.ill.subscribe()
    }

    /// Makes a call; after a failure that may pass, makes it again, up to six times in all.
    pub(crate) async fn call<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T, ClusterError>
    where
        F: Future<Output = Result<T, ClusterError>>,
    {
        let mut pause = FIRST_PAUSE;
        let mut tries = 1;
        let mut failed_service = None;
        loop {
            let error = match call().await {
                Ok(answer) => {
                    if let Some(service) = failed_service {
                        self.recovered(service);
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            if !error.is_transient() {
                return Err(error);
            }
            self.failed(&error);
            failed_service = Some(error.service);
            if tries == TRIES {
                return Err(error);
            }
            tracing::debug!(%error, tries, "trying again");
            self.pause(&error, pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            tries += 1;
        }
    }

    /// Waits before the next try, at least as long as the service asked for.
    pub(crate) async fn pause(&self, error: &ClusterError, pause: Duration) {
        let mut pause = self.jitter(pause);
        if let Fault::Throttled { retry_after: Some(asked) } = &error.fault {
            pause = pause.max((*asked).min(LONGEST_ASKED));
        }
        tokio::time::sleep(pause).await;
    }

    /// Notes that a service failed for a reason that may pass.
    pub(crate) fn failed(&self, error: &ClusterError) {
        self.ill.send_if_modified(|ill| {
            let new = ill.insert(error.service, error.to_string()).is_none();
            if new {
                tracing::warn!(%error, "the {} service is ill", error.service);
            }
            new
        });
    }

    /// Notes that a service answers.
    pub(crate) fn recovered(&self, service: Service) {
        self.ill.send_if_modified(|ill| {
            let was_ill = ill.remove(&service).is_some();
            if was_ill {
                tracing::info!("the {service} service is back");
            }
            was_ill
        });
    }
}
