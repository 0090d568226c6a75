//! Faults of the real servers, on demand.

use serde_json::{Value, json};

use crate::services::{services, text};

/// Faults that meet only requests with a certain text in their path.
pub(crate) struct Faults {
    control: String,
    path: String,
}

impl Faults {
    /// Faults of the queue server for what has this name; nothing if the servers can't be spoilt.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let services = services()?;
        services.get("control")?;
        Some(Self { control: text(services, "/control").to_owned(), path: name.to_owned() })
    }

    /// Spoils the next `count` requests; gives the fault's id.
    pub(crate) async fn set(&self, fault: &str, count: u32) -> String {
        let fault: Value = serde_json::from_str(fault).unwrap();
        let rule = json!({
            "service": "queue",
            "match": { "pathIncludes": self.path },
            "fault": fault,
            "count": count,
        });
        let request = reqwest::Client::new().post(format!("{}/faults", self.control)).json(&rule);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["id"].as_str().unwrap_or_else(|| panic!("no fault was set: {answer}")).to_owned()
    }

    /// Ends a fault.
    pub(crate) async fn remove(&self, id: String) {
        let url = format!("{}/faults/{id}", self.control);
        let answer = reqwest::Client::new().delete(url).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    }
}
