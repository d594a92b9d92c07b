//! Reconciliation: collect, analyse, commit. Orders effects and decides nothing.
