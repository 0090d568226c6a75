//! Every conformance case gives what the JavaScript runtime gives.

use futures::{StreamExt as _, stream};

use crate::{
    played::{all_cases, run_case},
    services::services,
};

/// How many cases are played at once.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_azure() {
    let Some(services) = services() else { return };
    for workers in [1, 2] {
        let found: Vec<String> = stream::iter(all_cases())
            .map(async |case| {
                let cluster = services.cluster().await;
                run_case(&case, &cluster, workers, 7).await
            })
            .buffer_unordered(AT_ONCE)
            .flat_map(stream::iter)
            .collect()
            .await;
        assert!(found.is_empty(), "{workers} workers:\n{}", found.join("\n"));
    }
}
