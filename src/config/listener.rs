//! The address that requests come in at, and the callers that are let in.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use super::{
    address,
    auth::{self, Auth},
    reader::Reader,
    report::Origin,
    setting,
};
use bandog_tls as tls;

/// The settings of the listener.
#[derive(Debug, Clone)]
pub struct Listener {
    /// `--listen`: the address to bind; port 0 for any free one.
    pub address: SocketAddr,
    /// `--address-file`: the file that the bound address is written to.
    pub address_file: Option<PathBuf>,
    /// `--paths any`: no path is kept from the function.
    pub any_path: bool,
    /// `--ca-file`: the certificates that servers elsewhere are trusted by.
    pub ca_file: Option<PathBuf>,
    /// The callers that are let in.
    pub auth: Auth,
}

/// Reads the group; `debugs_jwt` is [`Jwt::debug`](super::Jwt::debug).
pub(super) fn read(reader: &mut Reader<'_>, debugs_jwt: bool) -> Option<Listener> {
    let address = read_address(reader);
    let address_file = reader.path(&setting::ADDRESS_FILE);
    let any_path = reader.choice(&setting::PATHS, &[("usual", false), ("any", true)]);
    let ca_file = read_ca_file(reader);
    let auth = auth::read(reader, debugs_jwt);
    Some(Listener {
        address: address?,
        address_file: address_file?,
        any_path: any_path?,
        ca_file: ca_file?,
        auth: auth?,
    })
}

/// Reads `--listen`, or `PORT`, which is a port only.
pub(super) fn read_address(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let setting = &setting::LISTEN;
    let raw = reader.raw_or_default(setting)?;
    let text = raw.text();
    if raw.origin != Origin::Variable("PORT".to_owned()) {
        return reader.address(setting, raw, &text, address::EXPECTED);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(port) = text.parse::<u16>().ok().filter(|_| digits) else {
        reader.note(setting, text, raw.origin.clone());
        reader.wrong(setting, Some(raw), "expected a port number from 0 to 65535");
        return None;
    };
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    reader.note(setting, address.to_string(), raw.origin);
    Some(address)
}

/// Reads `--ca-file`, whose certificates must be readable at start. The outer `None` is a mistake.
#[expect(clippy::option_option, reason = "a mistake, no file and a file are three things")]
fn read_ca_file(reader: &mut Reader<'_>) -> Option<Option<PathBuf>> {
    let Some(raw) = reader.raw_and_noted(&setting::CA_FILE) else { return Some(None) };
    let path = PathBuf::from(&raw.value);
    // It is read here, and by each part that trusts them.
    let read = auth::check_file(&path).and_then(|()| tls::read_certificates(&path).map_err(|error| error.to_string()));
    reader.accept(&setting::CA_FILE, Some(raw), read.map(|_| path)).map(Some)
}
