//! Every setting in one table: its key, how a written value is put into force, how it is shown.

use serde_json::{Value, json};

use super::{
    model::{Config, Reconciling},
    value::{Written, Wrong},
};

/// A day, in seconds.
const DAY: u64 = 24 * 3600;

/// A setting.
pub(super) struct Setting {
    /// Its key: the section and the name in it.
    pub(super) key: &'static str,
    /// Puts a written value into force.
    pub(super) set: fn(&mut Config, &Written<'_>) -> Result<(), Wrong>,
    /// The value in force.
    pub(super) get: fn(&Config) -> Value,
}

impl Setting {
    /// The setting with this key.
    pub(super) fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("FLOWCRAFT_{}", self.key.replace('.', "_").to_uppercase())
    }
}

/// The keys of a section, without its name.
pub(super) fn keys_of(section: &str) -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().filter_map(move |setting| setting.key.strip_prefix(section)?.strip_prefix('.'))
}

/// All settings, in the order in which they are shown.
pub(super) static SETTINGS: [Setting; 17] = [
    Setting {
        key: "blueprints",
        set: |config, value| put(&mut config.blueprints, value.paths()),
        get: |config| {
            config.blueprints.iter().map(|path| json!(path.display().to_string())).collect()
        },
    },
    Setting {
        key: "cluster.backend",
        set: |config, value| put(&mut config.cluster.backend, value.backend()),
        get: |config| json!(config.cluster.backend.as_str()),
    },
    Setting {
        key: "cluster.path",
        set: |config, value| put(&mut config.cluster.path, value.path().map(Some)),
        get: |config| json!(config.cluster.path.as_ref().map(|path| path.display().to_string())),
    },
    Setting {
        key: "cluster.queue",
        set: |config, value| put(&mut config.cluster.queue, value.queue_name()),
        get: |config| json!(config.cluster.queue),
    },
    Setting {
        key: "cluster.database",
        set: |config, value| put(&mut config.cluster.database, value.cosmos_name()),
        get: |config| json!(config.cluster.database),
    },
    Setting {
        key: "cluster.contexts",
        set: |config, value| put(&mut config.cluster.contexts, value.cosmos_name()),
        get: |config| json!(config.cluster.contexts),
    },
    Setting {
        key: "cluster.statuses",
        set: |config, value| put(&mut config.cluster.statuses, value.cosmos_name()),
        get: |config| json!(config.cluster.statuses),
    },
    Setting {
        key: "worker.slots",
        set: |config, value| put(&mut config.worker.slots, value.count(1..=1024)),
        get: |config| json!(config.worker.slots),
    },
    Setting {
        key: "worker.name",
        set: |config, value| put(&mut config.worker.name, value.worker_name().map(Into::into)),
        get: |config| json!(config.worker.name),
    },
    Setting {
        key: "worker.max_dequeue_count",
        set: |config, value| put(&mut config.worker.max_dequeue_count, value.count(1..=1000)),
        get: |config| json!(config.worker.max_dequeue_count),
    },
    Setting {
        key: "worker.lease_seconds",
        set: |config, value| put(&mut config.worker.lease, value.seconds(5..=3600)),
        get: |config| json!(config.worker.lease.as_secs()),
    },
    Setting {
        key: "reconciler.enabled",
        set: |config, value| {
            let mode = |on| if on { Reconciling::Enabled } else { Reconciling::Disabled };
            put(&mut config.reconciler.mode, value.switch().map(mode))
        },
        get: |config| json!(config.reconciler.mode == Reconciling::Enabled),
    },
    Setting {
        key: "reconciler.every_seconds",
        set: |config, value| put(&mut config.reconciler.every, value.seconds(1..=DAY)),
        get: |config| json!(config.reconciler.every.as_secs()),
    },
    Setting {
        key: "reconciler.stalled_after_seconds",
        set: |config, value| put(&mut config.reconciler.stalled_after, value.seconds(1..=7 * DAY)),
        get: |config| json!(config.reconciler.stalled_after.as_secs()),
    },
    Setting {
        key: "ui.theme",
        set: |config, value| put(&mut config.ui.theme, value.theme_name()),
        get: |config| json!(config.ui.theme),
    },
    Setting {
        key: "ui.read_only",
        set: |config, value| put(&mut config.ui.read_only, value.switch()),
        get: |config| json!(config.ui.read_only),
    },
    Setting {
        key: "ui.audit_file",
        set: |config, value| put(&mut config.ui.audit_file, value.path().map(Some)),
        get: |config| json!(config.ui.audit_file.as_ref().map(|path| path.display().to_string())),
    },
];

fn put<T>(place: &mut T, value: Result<T, Wrong>) -> Result<(), Wrong> {
    *place = value?;
    Ok(())
}
