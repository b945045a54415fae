//! `countersign model key` and `model sign`: who answers for a packed model.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use clap::Args;
use seal::Signer;

use super::ModelCliError;

/// How the file of a secret key begins (C2SP signed-note, "Signer keys" of the reference implementation).
const SECRET: &str = "PRIVATE+KEY+";
/// The type byte of Ed25519 in it.
const ED25519: u8 = 1;

/// Arguments of `model key`.
#[derive(Args)]
pub struct KeyArgs {
    /// File to make, readable by its owner alone; keep it away from the machines that serve
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Name of the key: a URL without schema, such as hospital.example/models
    #[arg(long)]
    name: String,
}

/// Arguments of `model sign`.
#[derive(Args)]
pub struct SignArgs {
    /// Folder of a packed model
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// File of the secret key, as `model key` makes it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

/// Makes a key and prints its public half.
pub(super) fn key(args: &KeyArgs) -> Result<(), ModelCliError> {
    let seed: [u8; 32] = seal::random().map_err(|error| ModelCliError::Output(io::Error::other(error)))?;
    let public = Signer::from_seed(&args.name, &seed)?.public();
    let mut secret = vec![ED25519];
    secret.extend_from_slice(&seed);
    let id = u32::from_be_bytes(public.id());
    let text = format!(
        "{SECRET}{}+{id:08x}+{}\n",
        args.name,
        BASE64_STANDARD.encode(secret)
    );
    let wrong = |error| ModelCliError::Write(args.file.clone(), error);
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&args.file)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(wrong)?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "The secret key is in {}. Those who serve this key's models put this line into the file of COUNTERSIGN_MODEL_KEYS:\n{public}",
        args.file.display()
    )?;
    Ok(())
}

/// Signs a packed model.
pub(super) fn sign(args: &SignArgs) -> Result<(), ModelCliError> {
    let signer = read(&args.key)?;
    sign_with(&args.folder, &signer)
}

/// Signs a packed model and says so.
pub(super) fn sign_with(folder: &Path, signer: &Signer) -> Result<(), ModelCliError> {
    let digest = inference::sign_package(folder, signer)
        .map_err(|error| ModelCliError::Load(folder.to_owned(), error.into()))?;
    let mut out = io::stdout().lock();
    writeln!(out, "signed {digest} as {}", signer.public().name())?;
    Ok(())
}

/// Reads a secret key.
pub(super) fn read(path: &Path) -> Result<Signer, ModelCliError> {
    let mut text = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(4096).read_to_string(&mut text))
        .map_err(|error| ModelCliError::Read(path.to_owned(), error))?;
    parse(text.trim()).ok_or_else(|| ModelCliError::Secret(path.to_owned()))
}

/// `PRIVATE+KEY+name+hash+base64(type ‖ seed)`; the hash must be that of the public half.
fn parse(text: &str) -> Option<Signer> {
    let (name, rest) = text.strip_prefix(SECRET)?.split_once('+')?;
    let (id, secret) = rest.split_once('+')?;
    let secret = BASE64_STANDARD.decode(secret).ok()?;
    let (&ED25519, seed) = secret.split_first()? else {
        return None;
    };
    let signer = Signer::from_seed(name, seed.try_into().ok()?).ok()?;
    (format!("{:08x}", u32::from_be_bytes(signer.public().id())) == id).then_some(signer)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let args = KeyArgs {
            file: folder.path().join("secret.key"),
            name: "hospital.example/models".to_owned(),
        };
        key(&args)?;
        assert_eq!(fs::metadata(&args.file)?.permissions().mode() & 0o777, 0o600);
        let signer = read(&args.file)?;
        assert_eq!(signer.public().name(), "hospital.example/models");
        // It is never overwritten.
        assert!(matches!(key(&args), Err(ModelCliError::Write(..))));
        let text = fs::read_to_string(&args.file)?;
        for bad in [
            text.replace("hospital", "another"),
            text.replace(SECRET, ""),
            text[..text.len() - 9].to_owned(),
        ] {
            fs::write(&args.file, bad)?;
            let Err(refused) = read(&args.file) else {
                panic!("a damaged key was read");
            };
            assert!(matches!(refused, ModelCliError::Secret(_)));
        }
        Ok(())
    }
}
