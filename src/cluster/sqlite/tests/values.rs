//! Values at the edge of what can be kept.

use std::sync::Arc;

use serde_json::{Value, json};

use super::setup;
use crate::{
    blueprint::RunId,
    cluster::{Fault, ReadDocument, contract::empty_document},
    engine::Op,
};

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!("[\"{\\"), |inner, level| {
        if level % 2 == 0 { json!([inner]) } else { json!({ "{[": inner }) }
    })
}

#[tokio::test]
async fn what_could_not_be_read_back_is_refused() {
    let subject = setup().await;
    let store = &*subject.cluster.state;
    let run = RunId::from("deep");
    let mut version = store.create_document(&run, &empty_document()).await.unwrap();
    for (levels, fits) in [(127, true), (128, false), (1000, false)] {
        let op = Op::Set("deep".into(), Arc::new(nested(levels)));
        let mut after = empty_document();
        after.apply(&op);
        match store.commit_document(&run, &version, &[op], &after).await {
            Ok(new) if fits => version = new,
            Err(error) if !fits => assert_eq!(error.fault, Fault::Refused, "{error}"),
            other => panic!("{levels} levels: {other:?}"),
        }
    }
    match store.read_document(&run, None).await.unwrap() {
        ReadDocument::Whole(read, _) => assert_eq!(**read.get("deep").unwrap(), nested(127)),
        other => panic!("{other:?}"),
    }
}
