//! A worker, a client that starts a run, and a reconciler on Azure:
//! `cargo run --example azure`, with the three connection strings in the environment.

use flowcraft_tui::{
    azure::{AzureQueueAdapter, AzureReconcilerOptions, CosmosDbContext, create_azure_reconciler},
    blueprint::{Library, sanitize},
    cluster::{AzureServices, AzureSettings},
    nodes::{NodeOutput, Registry},
    operations::StartRequest,
    worker::WorkerConfig,
};
use serde_json::{Map, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let settings = AzureSettings::from_variables()?;
    let library = Library::fixed(vec![sanitize(json!({
        "id": "greeting",
        "nodes": [{ "id": "hello", "uses": "greet" }],
        "edges": [],
    }))?]);
    let registry =
        Registry::new().with_fn("greet", |_| Ok(NodeOutput::value("Hello from a worker on Azure")));

    let worker = AzureQueueAdapter::new(
        settings.clone(),
        library.clone(),
        registry,
        WorkerConfig::named("example"),
    )?;
    worker.provision().await?;
    let working = worker.clone();
    let working = tokio::spawn(async move { working.start().await });

    let started = worker.operations().start(StartRequest::new("greeting", Map::new())).await?;
    while !worker.operations().view(&started.run).await?.status.is_final() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let context = CosmosDbContext::new(&AzureServices::new(settings.clone())?, started.run);
    println!("{}", context.get("_outputs.hello").await?.unwrap_or_default());

    let options = AzureReconcilerOptions { stalled_threshold_seconds: 300, ..Default::default() };
    let reconciler = create_azure_reconciler(settings, library, options)?;
    let report = reconciler.run().await?;
    println!("stalled {}, resumed {}", report.stalled_runs, report.reconciled_runs);

    worker.stop();
    working.await?;
    Ok(())
}
