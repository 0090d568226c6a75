//! What is ordered from the demo's workflows: which blueprint, and with what input.

use serde_json::{Map, Value, json};

use super::dice::Dice;

const PEOPLE: [&str; 8] =
    ["Ada", "Grace", "Linus", "Margaret", "Alan", "Barbara", "Edsger", "Katherine"];
const PHOTOS: [&str; 5] = ["harbour.jpg", "sunrise.jpg", "bridge.jpg", "market.jpg", "team.jpg"];
const EXPENSES: [&str; 5] =
    ["train tickets", "a hotel in Lisbon", "a keyboard", "books", "dinner with a customer"];
const SUPPLIERS: [&str; 4] = ["Northwind", "Contoso", "Fabrikam", "Tailspin"];
const DATABASES: [&str; 3] = ["shop", "billing", "warehouse"];
const MONTHS: [&str; 4] = ["March", "April", "May", "June"];

/// A line of business: the blueprint of the same name, started by the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Order,
    Images,
    Report,
    Invoices,
    Expense,
    Trial,
    Prices,
    Backup,
}

impl Line {
    /// How the trickle chooses: what comes more often is there more often.
    pub(super) const MIX: [Self; 16] = [
        Self::Order,
        Self::Order,
        Self::Order,
        Self::Order,
        Self::Order,
        Self::Images,
        Self::Images,
        Self::Report,
        Self::Invoices,
        Self::Invoices,
        Self::Expense,
        Self::Expense,
        Self::Trial,
        Self::Prices,
        Self::Prices,
        Self::Backup,
    ];

    /// Its blueprint.
    pub(super) fn blueprint(self) -> &'static str {
        match self {
            Self::Order => "order-fulfilment",
            Self::Images => "image-pipeline",
            Self::Report => "nightly-report",
            Self::Invoices => "invoice-mailing",
            Self::Expense => "expense-approval",
            Self::Trial => "trial-reminder",
            Self::Prices => "price-import",
            Self::Backup => "database-backup",
        }
    }

    /// The line with this blueprint; the subflow's has none.
    #[cfg(test)]
    pub(super) fn of(blueprint: &str) -> Option<Self> {
        Self::MIX.into_iter().find(|line| line.blueprint() == blueprint)
    }

    /// The id of a run of it.
    pub(super) fn run_id(self, number: u64) -> String {
        let word = match self {
            Self::Order => "order",
            Self::Images => "photo",
            Self::Report => "report",
            Self::Invoices => "invoices",
            Self::Expense => "expense",
            Self::Trial => "trial",
            Self::Prices => "prices",
            Self::Backup => "backup",
        };
        format!("{word}-{number}")
    }

    /// An input for a run.
    pub(super) fn input(self, dice: &mut Dice) -> Map<String, Value> {
        let input = match self {
            Self::Order => {
                let items = dice.number(1..6);
                json!({"order": {
                    "number": format!("A-{}", dice.number(1000..10_000)),
                    "customer": dice.pick(&PEOPLE),
                    "items": items,
                    "total": items * dice.number(5..60),
                }})
            }
            Self::Images => json!({"photo": dice.pick(&PHOTOS)}),
            Self::Report => json!({"regions": ["north", "east", "south", "west"]}),
            Self::Invoices => {
                json!({"month": dice.pick(&MONTHS), "invoices": dice.number(6..20)})
            }
            Self::Expense => json!({"expense": {
                "who": dice.pick(&PEOPLE),
                "what": dice.pick(&EXPENSES),
                "amount": dice.number(20..900),
            }}),
            Self::Trial => json!({"customer": dice.pick(&PEOPLE)}),
            Self::Prices => json!({"supplier": dice.pick(&SUPPLIERS)}),
            Self::Backup => json!({"database": dice.pick(&DATABASES)}),
        };
        match input {
            Value::Object(input) => input,
            _ => Map::new(),
        }
    }
}
