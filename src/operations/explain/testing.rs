//! What the tests of the judgements have in common: a run and a cluster, made up.
