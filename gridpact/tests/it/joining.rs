//! Parties that are registered after the genesis: they run, and an operator submits for them, by what the validators say of the
//! ledger's registry. Four real validators in a mesh, on real sockets and disks.

use ed25519_dalek::SigningKey;
use gridpact::cluster::layout::{key_of, Layout};
use gridpact::configuration::key_file;
use gridpact::demo::ports::FreePorts;
use gridpact::members::{possess, submission};
use gridpact::run::running::Running;
use gridpact::run::start::Hooks;
use std::path::{Path, PathBuf};
use wire::party::{PartyId, Role};

struct Scene {
    folder: tempfile::TempDir,
    layout: Layout,
    running: Running,
}

impl Scene {
    async fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::write(folder.path(), 1, &mut FreePorts::new().unwrap()).unwrap();
        let files: Vec<PathBuf> = layout.validators.iter().map(|process| process.file.clone()).collect();
        let mut running = Running::new().unwrap();
        running.start(&files, &Hooks::default()).await.unwrap();
        Scene { folder, layout, running }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// The file of a party that reaches the ledger by the validators' brokers, and what its role needs besides.
    fn party(&self, party: &PartyId, key: &SigningKey, more: &str) -> PathBuf {
        let (role, id) = (party.role.word(), &party.id);
        let pem = self.path(&format!("{role}-{id}.pem"));
        if !pem.exists() {
            key_file::write(&pem, key).unwrap();
        }
        let brokers: Vec<String> = self.layout.brokers.iter().map(|broker| format!("\"{broker}\"")).collect();
        let text = format!(
            "role = \"{role}\"\n{more}\n[party]\nid = \"{id}\"\nkey = \"{role}-{id}.pem\"\ngenesis = \"genesis.json\"\n\
             validator_brokers = [{}]\ndata_dir = \"data-{role}-{id}\"\n",
            brokers.join(", ")
        );
        self.put(&format!("{role}-{id}.toml"), &text)
    }

    async fn submit(&self, entry: &str, by: &Path) -> Result<String, String> {
        let mut out = Vec::new();
        let entry = self.put("entry.toml", entry);
        let submitted = submission::run(&entry, by, &mut out).await;
        submitted.map(|()| String::from_utf8(out).unwrap()).map_err(|error| error.to_string())
    }

    /// What a registrar is told of a new party, as it stands in an entry's file.
    fn registration(&self, party: &PartyId) -> String {
        let (role, id) = (party.role.word(), &party.id);
        let mut out = Vec::new();
        let pem = self.path(&format!("{role}-{id}.pem"));
        possess(&self.path("genesis.json"), &party.to_string(), &pem, &mut out).unwrap();
        let proof = String::from_utf8(out).unwrap();
        format!("entry = \"register\"\nparty = \"{party}\"\naccount = \"account-{role}-{id}\"\n{proof}")
    }
}

fn party(role: Role, id: &str) -> PartyId {
    PartyId::new(role, id.parse().unwrap())
}

/// What `gridpact check` says of a party's key.
async fn checked(file: &Path, expected: &str) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gridpact"));
    command.arg("check").arg(file).arg("--all");
    let output = actix::spawn(async { tokio::task::spawn_blocking(move || command.output()).await });
    let output = output.await.unwrap().unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(expected), "{said}");
}

#[actix::test]
async fn who_is_registered_later_runs_and_submits() {
    let mut scene = Scene::new().await;
    let dso = party(Role::Dso, "dso");
    let dso_file = scene.party(&dso, &key_of(&dso), "");
    let newcomer = party(Role::Aggregator, "later");
    let file = scene.party(&newcomer, &SigningKey::from_bytes(&[77; 32]), "");
    checked(&file, "no validator says that the ledger's registry has it").await;
    let said = scene.submit(&scene.registration(&newcomer), &dso_file).await.unwrap();
    assert!(said.contains("final at height 1"), "{said}");
    checked(&file, "as the ledger's registry has it").await;
    // Nothing was decided since: what the validators say holds the block with the registration itself.
    let running = scene.running.len();
    scene.running.start(std::slice::from_ref(&file), &Hooks::default()).await.unwrap();
    assert_eq!(scene.running.len(), running + 1);
    let equipment = "entry = \"equipment\"\nrevision = 0\ndevices = []\n";
    // While its process runs, which goes on being heard.
    let said = scene.submit(equipment, &file).await.unwrap();
    assert!(said.contains("final at height 2"), "{said}");
    // A validator's file names its brokers in its mesh.
    let change =
        "entry = \"proposal\"\nat_height = 99\n[change.contract]\ncontract = \"transfer\"\nversion = 0\n";
    let said = scene.submit(change, &scene.layout.validators[0].file).await.unwrap();
    assert!(said.contains("final at height 3"), "{said}");
    scene.running.stop().await;
}
