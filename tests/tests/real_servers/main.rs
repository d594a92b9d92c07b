//! Real SCIM servers, which `tests/servers/install.sh` installs: one program, so that what waits for one server lets another work.

mod behind_our_back;
mod fault_proxy;
mod groups;
mod journey;
mod people;
mod scim_server;
