//! What requests to the services add up to.

use std::ops::AddAssign;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cluster::Service;

/// One of something for each service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerService<T> {
    /// Of the job queue.
    #[serde(default)]
    pub queue: T,
    /// Of the state store.
    #[serde(default)]
    pub state: T,
    /// Of the coordination store.
    #[serde(default)]
    pub coordination: T,
}

impl<T> PerService<T> {
    /// That of a service.
    pub fn of(&self, service: Service) -> &T {
        match service {
            Service::Queue => &self.queue,
            Service::State => &self.state,
            Service::Coordination => &self.coordination,
        }
    }

    pub(super) fn of_mut(&mut self, service: Service) -> &mut T {
        match service {
            Service::Queue => &mut self.queue,
            Service::State => &mut self.state,
            Service::Coordination => &mut self.coordination,
        }
    }

    /// One made of this and another, service by service.
    pub(crate) fn with<U, V>(
        &self,
        other: &PerService<U>,
        made: impl Fn(&T, &U) -> V,
    ) -> PerService<V> {
        PerService {
            queue: made(&self.queue, &other.queue),
            state: made(&self.state, &other.state),
            coordination: made(&self.coordination, &other.coordination),
        }
    }
}

impl PerService<u64> {
    /// All of them together.
    pub fn sum(&self) -> u64 {
        self.queue.saturating_add(self.state).saturating_add(self.coordination)
    }

    fn is_zero(&self) -> bool {
        self.sum() == 0
    }
}

impl AddAssign for PerService<u64> {
    fn add_assign(&mut self, other: Self) {
        *self = self.with(&other, |one, other| one.saturating_add(*other));
    }
}

/// Request units: what Cosmos DB charges for its answers, to the hundredth. As JSON a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestUnits(u64);

impl RequestUnits {
    /// From hundredths.
    pub const fn from_hundredths(hundredths: u64) -> Self {
        Self(hundredths)
    }

    /// As a number of units; what is none counts as zero.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It saturates.
    pub fn new(units: f64) -> Self {
        Self((units * 100.0).round() as u64)
    }

    /// The number of units.
    #[allow(clippy::cast_precision_loss)] // Exact up to 90 million million units.
    pub fn units(self) -> f64 {
        self.0 as f64 / 100.0
    }

    /// What this is more than another, at least none.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl AddAssign for RequestUnits {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

impl Serialize for RequestUnits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.units())
    }
}

impl<'de> Deserialize<'de> for RequestUnits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::new)
    }
}

/// What somebody's requests add up to, since a worker began to work or a dashboard to look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Requests that reached a service, each try by itself.
    #[serde(default)]
    pub requests: PerService<u64>,
    /// Those of them that the service answered with "too many" (HTTP 429; the queue's 503 as well).
    #[serde(default, skip_serializing_if = "PerService::is_zero")]
    pub throttled: PerService<u64>,
    /// What was charged for them; nothing where nothing is ever charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_units: Option<RequestUnits>,
    /// Nodes that were done with them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub nodes: u64,
}

// The signature is serde's.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_none(number: &u64) -> bool {
    *number == 0
}

impl Tally {
    /// What was added since an earlier tally; nothing if that can't be an earlier one.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Self> {
        let less = |now: &u64, then: &u64| now.checked_sub(*then);
        let all = |of: PerService<Option<u64>>| -> Option<PerService<u64>> {
            Some(PerService { queue: of.queue?, state: of.state?, coordination: of.coordination? })
        };
        let charged = earlier.request_units.unwrap_or_default();
        if self.request_units.unwrap_or_default() < charged {
            return None;
        }
        Some(Self {
            requests: all(self.requests.with(&earlier.requests, less))?,
            throttled: all(self.throttled.with(&earlier.throttled, less))?,
            request_units: self.request_units.map(|now| now.since(charged)),
            nodes: self.nodes.checked_sub(earlier.nodes)?,
        })
    }

    pub(super) fn add(&mut self, service: Service, counted: Counted) {
        *self.requests.of_mut(service) += counted.requests;
        *self.throttled.of_mut(service) += counted.throttled;
        if let Some(units) = counted.units {
            *self.request_units.get_or_insert_default() += units;
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.throttled += other.throttled;
        if let Some(units) = other.request_units {
            *self.request_units.get_or_insert_default() += units;
        }
        self.nodes = self.nodes.saturating_add(other.nodes);
    }
}

/// What one call came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    pub(crate) requests: u64,
    pub(crate) throttled: u64,
    /// Nothing from a service that charges nothing.
    pub(crate) units: Option<RequestUnits>,
    /// How long the answers took, together.
    pub(crate) took: std::time::Duration,
}
