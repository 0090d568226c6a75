//! Runs split by hand: nodes whose params say `by: "js"` are run by the JavaScript worker, all others
//! by ours.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use flowcraft_tui::{
    cluster::{Cluster, Delivery, Depth, Job, JobQueue, Key, Lane, Peeked, Receipt, Result},
    worker::WorkerConfig,
};
use serde_json::{Value, json};

use super::scene::{Ours, Scene};

/// Blueprint and node.
type Marked = BTreeSet<(String, String)>;

/// The queue as our worker has it: it puts back at once what is not for it.
struct PutBack {
    queue: Arc<dyn JobQueue>,
    theirs: Marked,
}

#[async_trait]
impl JobQueue for PutBack {
    fn name(&self) -> &str {
        self.queue.name()
    }

    async fn send(&self, lane: Lane, body: String, delay: Duration) -> Result<()> {
        self.queue.send(lane, body, delay).await
    }

    async fn receive(&self, lane: Lane, max: usize, visibility: Duration) -> Result<Vec<Delivery>> {
        let mut ours = Vec::new();
        for delivery in self.queue.receive(lane, max, visibility).await? {
            let theirs = Job::decode(&delivery.body).is_ok_and(|job| {
                self.theirs.contains(&(job.blueprint_id.to_string(), job.node_id.to_string()))
            });
            if theirs {
                // Anew, so that this look at it does not count as a try.
                self.queue.send(lane, delivery.body, Duration::ZERO).await?;
                self.queue.delete(lane, &delivery.receipt).await?;
            } else {
                ours.push(delivery);
            }
        }
        Ok(ours)
    }

    async fn renew(&self, lane: Lane, receipt: &Receipt, visibility: Duration) -> Result<Receipt> {
        self.queue.renew(lane, receipt, visibility).await
    }

    async fn hide(
        &self,
        lane: Lane,
        receipt: &Receipt,
        body: String,
        visibility: Duration,
    ) -> Result<Receipt> {
        self.queue.hide(lane, receipt, body, visibility).await
    }

    async fn delete(&self, lane: Lane, receipt: &Receipt) -> Result<()> {
        self.queue.delete(lane, receipt).await
    }

    async fn peek(&self, lane: Lane, max: usize) -> Result<Vec<Peeked>> {
        self.queue.peek(lane, max).await
    }

    async fn depth(&self, lane: Lane) -> Result<Depth> {
        self.queue.depth(lane).await
    }
}

/// Has nodes of a blueprint run by the JavaScript worker.
pub(super) fn marked(mut blueprint: Value, theirs: &[&str]) -> Value {
    for node in blueprint["nodes"].as_array_mut().unwrap() {
        if theirs.contains(&node["id"].as_str().unwrap()) {
            node["params"]["by"] = json!("js");
        }
    }
    blueprint
}

/// Whether a node is one that the JavaScript worker is to run.
pub(super) fn is_marked(blueprint: &Value, node: &str) -> bool {
    theirs(blueprint).any(|marked| marked == node)
}

fn theirs(blueprint: &Value) -> impl Iterator<Item = String> {
    let nodes = blueprint["nodes"].as_array().unwrap().iter();
    nodes
        .filter(|node| node["params"]["by"] == "js")
        .map(|node| node["id"].as_str().unwrap().to_owned())
}

/// Starts a worker of ours that runs no node that is marked.
pub(super) fn ours_beside(scene: &mut Scene, all: &[Value], config: WorkerConfig) -> Ours {
    let cluster = scene.another_cluster();
    let of = |blueprint: &Value| -> Vec<(String, String)> {
        let id = blueprint["id"].as_str().unwrap().to_owned();
        theirs(blueprint).map(|node| (id.clone(), node)).collect()
    };
    let marked = all.iter().flat_map(of).collect();
    let queue = Arc::new(PutBack { queue: cluster.queue.clone(), theirs: marked });
    scene.ours_on(Cluster { queue, ..cluster }, config)
}

/// Keeps our workers from going on with marked nodes of a run in their hands: as if somebody had
/// them leased.
pub(super) async fn fence(scene: &Scene, blueprint: &Value, run: &str) {
    for node in theirs(blueprint) {
        let key = Key::node_lock(&scene.run(run), &node.as_str().into());
        let store = &scene.cluster.coordination;
        let hour = Duration::from_hours(1);
        assert!(store.set_if_absent(&key, "worker:fence#0", hour).await.unwrap());
    }
}
