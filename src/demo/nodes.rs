//! The demo's kinds of node. They do nothing but take their time, say so in the log, and sometimes
//! fail.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{dice::Dice, pace::Pace};
use crate::nodes::{
    Node, NodeContext, NodeError, NodeOutput, Registry,
    log::{Asker, Target},
};

/// What a step came to, and what is said about it in the log.
struct Done {
    output: NodeOutput,
    line: String,
}

impl Done {
    fn new(output: impl Into<Value>, line: impl Into<String>) -> Self {
        Self { output: NodeOutput::value(output), line: line.into() }
    }
}

/// A kind of node: its name, how long it takes in milliseconds, and what it does.
struct Kind {
    uses: &'static str,
    takes: std::ops::Range<u64>,
    does: fn(&mut NodeContext, &mut Dice) -> Done,
}

const fn kind(
    uses: &'static str,
    takes: std::ops::Range<u64>,
    does: fn(&mut NodeContext, &mut Dice) -> Done,
) -> Kind {
    Kind { uses, takes, does }
}

static KINDS: [Kind; 29] = [
    kind("receive-order", 200..500, receive_order),
    kind("check-stock", 300..900, check_stock),
    kind("order-from-supplier", 1500..3000, |c, _| {
        Done::new(text(c, "customer"), "a supplier sends what is sold out")
    }),
    kind("reserve-amount", 400..1200, |c, _| {
        let amount = number(c, "total");
        Done::new(json!({"reserved": amount}), format!("{amount} reserved on the card"))
    }),
    kind("capture-amount", 300..900, |c, _| {
        let amount = number(c, "reserved");
        Done::new(json!({"captured": amount}), format!("{amount} taken from the card"))
    }),
    kind("pack", 800..2500, |c, _| {
        let items = number(c, "items");
        Done::new(json!({"parcel": items}), format!("{items} items in a parcel"))
    }),
    kind("ship", 500..1500, |_, dice| {
        let tracking = format!("T{}", dice.number(100_000..1_000_000));
        let line = format!("handed to the carrier as {tracking}");
        Done::new(json!({"tracking": tracking}), line)
    }),
    kind("send-mail", 200..700, |c, _| {
        let subject = c.param("subject").and_then(Value::as_str).unwrap_or("Hello").to_owned();
        let line = format!("sent \"{subject}\"");
        Done::new(json!({"sent": subject}), line)
    }),
    kind("fetch-photo", 500..1200, |c, _| {
        let photo = context_text(c, "photo");
        let line = format!("fetched {photo}, 4096 x 2730");
        Done::new(photo, line)
    }),
    kind("resize", 400..2500, |c, _| {
        let width = c.param("width").and_then(Value::as_u64).unwrap_or(100);
        let height = width * 2 / 3;
        Done::new(json!({"width": width, "height": height}), format!("{width} x {height}"))
    }),
    kind("publish-album", 500..1500, |c, _| {
        let photo = c.input().and_then(Value::as_str).unwrap_or("photo").to_owned();
        let line = format!("published {photo} in every size");
        Done::new(json!({"album": photo}), line)
    }),
    kind("open-books", 300..900, open_books),
    kind("add-region", 600..1800, add_region),
    kind("write-report", 800..2000, |c, _| {
        let total: u64 = c
            .input()
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(|totals| totals.values())
            .filter_map(Value::as_u64)
            .sum();
        Done::new(json!({"total": total}), format!("wrote the report: {total} sold"))
    }),
    kind("list-invoices", 300..900, |c, dice| {
        let count = context_number(c, "invoices").clamp(1, 1000);
        let month = context_text(c, "month");
        let first = dice.number(1000..9000);
        let invoices: Vec<Value> =
            (first..first + count).map(|number| format!("INV-{number}").into()).collect();
        Done::new(invoices, format!("{count} invoices of {month}"))
    }),
    kind("mail-invoice", 300..1500, |c, _| {
        let invoice = c.input().and_then(Value::as_str).unwrap_or("invoice").to_owned();
        let line = format!("mailed {invoice}");
        Done::new(invoice, line)
    }),
    kind("file-copies", 400..1200, |c, _| {
        let count = c.input().and_then(Value::as_array).map_or(0, Vec::len);
        Done::new(json!({"filed": count}), format!("{count} copies filed"))
    }),
    kind("check-policy", 300..900, check_policy),
    kind("pay-out", 500..1500, |c, _| {
        let amount = number(c, "amount");
        Done::new(json!({"paid": amount}), format!("{amount} paid out"))
    }),
    kind("create-account", 300..900, |c, _| {
        let customer = context_text(c, "customer");
        let line = format!("account for {customer}");
        Done::new(json!({"account": customer}), line)
    }),
    kind("check-activity", 300..900, |c, dice| {
        let action = if dice.happens(0.5) { "active" } else { "idle" };
        let customer = context_text(c, "customer");
        let mut done = Done::new(action, format!("{customer} is {action}"));
        done.output = done.output.with_action(action);
        done
    }),
    kind("download", 600..2000, |c, dice| {
        let supplier = context_text(c, "supplier");
        let lines = dice.number(200..4000);
        let line = format!("{lines} lines from {supplier}");
        Done::new(json!({"lines": lines}), line)
    }),
    kind("use-yesterdays-copy", 200..500, |_, dice| {
        let lines = dice.number(200..4000);
        Done::new(json!({"lines": lines, "stale": true}), "yesterday's copy stands in")
    }),
    kind("parse-prices", 400..1200, |c, _| {
        let prices = number(c, "lines");
        Done::new(json!({"prices": prices}), format!("{prices} prices read"))
    }),
    kind("publish-prices", 300..900, |c, _| {
        let prices = number(c, "prices");
        Done::new(json!({"published": prices}), format!("{prices} prices are live"))
    }),
    kind("dump-database", 900..2500, |c, dice| {
        let database = context_text(c, "database");
        let megabytes = dice.number(40..900);
        let line = format!("dumped {database}: {megabytes} MB");
        Done::new(json!({"database": database, "megabytes": megabytes}), line)
    }),
    kind("copy-offsite", 900..3000, |c, _| {
        let megabytes = number(c, "megabytes");
        Done::new(json!({"copied": megabytes}), format!("{megabytes} MB copied"))
    }),
    kind("verify-copy", 500..1500, |_, _| Done::new(true, "the copy is sound")),
    kind("explain-rejection", 200..600, |c, _| {
        let who = text(c, "who");
        let line = format!("told {who} why not");
        Done::new(who, line)
    }),
];

fn receive_order(c: &mut NodeContext, _: &mut Dice) -> Done {
    let order = c.get("order").cloned().unwrap_or_else(|| json!({"number": "A-0", "items": 1}));
    let number = order["number"].as_str().unwrap_or("?");
    let customer = order["customer"].as_str().unwrap_or("somebody");
    let line = format!("order {number} from {customer}");
    Done::new(order, line)
}

fn check_stock(c: &mut NodeContext, dice: &mut Dice) -> Done {
    let sold_out = dice.happens(0.25);
    let items = number(c, "items");
    let line = if sold_out { "sold out".to_owned() } else { format!("{items} items in stock") };
    Done::new(json!({"inStock": !sold_out, "soldOut": sold_out}), line)
}

fn open_books(c: &mut NodeContext, _: &mut Dice) -> Done {
    let regions = c.get("regions").and_then(Value::as_array).cloned().unwrap_or_default();
    c.set("left", regions.clone());
    c.set("more", !regions.is_empty());
    c.set("totals", json!({}));
    let line = format!("{} regions to add up", regions.len());
    Done::new(regions.len(), line)
}

fn add_region(c: &mut NodeContext, dice: &mut Dice) -> Done {
    let mut left = c.get("left").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut totals = c.get("totals").and_then(Value::as_object).cloned().unwrap_or_default();
    if left.is_empty() {
        c.set("more", false);
        return Done::new(Value::Null, "no region is left");
    }
    let region = left.remove(0).as_str().unwrap_or("region").to_owned();
    let sold = dice.number(1000..50_000);
    totals.insert(region.clone(), sold.into());
    c.set("more", !left.is_empty());
    c.set("left", left);
    c.set("totals", totals);
    let line = format!("{region}: {sold} sold");
    Done::new(json!({"region": region, "sold": sold}), line)
}

fn check_policy(c: &mut NodeContext, _: &mut Dice) -> Done {
    let expense = c.get("expense").cloned().unwrap_or_else(|| json!({"amount": 0}));
    let amount = expense["amount"].as_f64().unwrap_or(0.0);
    let (action, line) = if amount <= 100.0 {
        ("small", "small enough to be paid at once")
    } else {
        ("large", "a manager has to decide")
    };
    let mut done = Done::new(expense, line);
    done.output = done.output.with_action(action);
    done
}

/// A number: a member of the input, else a key of the context, else zero.
fn number(c: &NodeContext, name: &str) -> Value {
    let given = c.input().and_then(|input| input.get(name)).or_else(|| c.get(name));
    given.filter(|value| value.is_number()).cloned().unwrap_or_else(|| 0.into())
}

/// A member of the input, as text.
fn text(c: &NodeContext, member: &str) -> String {
    let value = c.input().and_then(|input| input.get(member)).and_then(Value::as_str);
    value.unwrap_or("somebody").to_owned()
}

fn context_text(c: &NodeContext, key: &str) -> String {
    c.get(key).and_then(Value::as_str).unwrap_or("something").to_owned()
}

fn context_number(c: &NodeContext, key: &str) -> u64 {
    c.get(key).and_then(Value::as_u64).unwrap_or(10)
}

/// A node of one of the kinds.
struct Step {
    kind: &'static Kind,
    seed: u64,
    pace: Pace,
    log: &'static Target,
}

#[async_trait]
impl Node for Step {
    async fn run(&self, context: &mut NodeContext) -> Result<NodeOutput, NodeError> {
        let execution = context.execution();
        let node = execution.node_id.clone();
        let occasion = format!("{} {}", execution.idempotency_key, execution.attempt);
        let run = execution.run_id.clone();
        let mut dice = Dice::new(self.seed, &occasion);
        let takes = Duration::from_millis(dice.number(self.kind.takes.clone()));
        self.pace.spend(takes, &node).await;
        let rate = context.param("failureRate").and_then(Value::as_f64).unwrap_or(0.0);
        if dice.happens(rate) {
            let message = context.param("failsWith").and_then(Value::as_str).unwrap_or("it failed");
            return Err(NodeError::ordinary(message));
        }
        let Done { output, line } = (self.kind.does)(context, &mut dice);
        self.log.log(&format!("{run}: {line}"), Some(&Asker { run, node }));
        Ok(output)
    }
}

/// The demo's kinds of node.
pub(super) fn registry(seed: u64, pace: &Pace) -> Registry {
    let mut registry = Registry::new();
    for kind in &KINDS {
        let step = Step { kind, seed, pace: pace.clone(), log: Target::of(kind.uses) };
        registry.insert(kind.uses, Arc::new(step));
    }
    registry
}
