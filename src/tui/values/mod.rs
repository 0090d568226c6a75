//! Everything a run holds, as one tree that folds and can be searched.

mod folding;
mod search;
mod state;
mod tree;

#[cfg(test)]
mod tests;

pub(super) use self::{
    folding::Folding,
    state::{Published, Values, Way, catch_up, find_next, fold_all, selected, step_in, toggle},
    tree::{Kind, Step, ValueTree, pointer_of, section},
};
pub(super) use search::{first, matches, split};
