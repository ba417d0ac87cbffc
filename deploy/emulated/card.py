"""A card as a Raspberry Pi has it: an ext4 image on a loop device with a Debian root, of arm64 or armhf run by qemu-user."""

import subprocess
from pathlib import Path

BINFMT = Path("/proc/sys/fs/binfmt_misc")
# By architecture: qemu's name for it, and class and machine in the first bytes of its little-endian ELF programs.
EMULATED = {"arm64": ("aarch64", "02", "b7"), "armhf": ("arm", "01", "28")}
# Its own packages alone: of a release that is no longer supported the security archive names some that it hasn't.
MIRROR = "http://deb.debian.org/debian"
SECTOR = 512
IMAGE_BYTES = 1 << 30


def sh(*words, **more):
    """Runs a command; one that fails ends everything, with what it said."""
    done = subprocess.run(list(map(str, words)), text=True, capture_output=True, check=False, **more)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def emulate(arch):
    """Makes the kernel run programs of this architecture by qemu, where it doesn't yet."""
    name, elf_class, machine = EMULATED[arch]
    if not (BINFMT / "register").exists():
        sh("mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT)
    if not (BINFMT / f"qemu-{name}").exists():
        magic = rf"\x7fELF\x{elf_class}\x01\x01" + r"\x00" * 9 + rf"\x02\x00\x{machine}\x00"
        # Which bits of them count: not the ABI's, and a program may be position-independent.
        mask = r"\xff" * 7 + r"\x00" + r"\xff" * 8 + r"\xfe\xff\xff\xff"
        # F opens qemu now, so that it is found in a root that hasn't it.
        (BINFMT / "register").write_text(f":qemu-{name}:M::{magic}:{mask}:/usr/bin/qemu-{name}-static:F")


class Card:
    """The image, mounted."""

    def __init__(self, folder, release, arch):
        self.root = folder / "root"
        self.image = folder / "card.img"
        tree = folder / f"{release}-{arch}.tar"
        if not tree.exists():
            half = tree.with_suffix(".part.tar")
            sh("mmdebstrap", f"--arch={arch}", "--variant=minbase", "--include=adduser,init-system-helpers",
               "--aptopt=Acquire::Languages \"none\"", release, half, MIRROR)
            half.rename(tree)
        self.image.unlink(missing_ok=True)
        with self.image.open("wb") as image:
            image.truncate(IMAGE_BYTES)
        sh("mkfs.ext4", "-q", "-F", self.image)
        self.root.mkdir(exist_ok=True)
        self.loop = sh("losetup", "--find", "--show", self.image).strip()
        sh("mount", self.loop, self.root)
        sh("tar", "-C", self.root, "-xpf", tree, "--numeric-owner")
        sh("mount", "--bind", "/proc", self.root / "proc")
        sh("mount", "--bind", "/dev/urandom", self.device("urandom"))
        sh("mount", "--bind", "/dev/null", self.device("null"))

    def device(self, name):
        """A place for a device file to be mounted on."""
        place = self.root / "dev" / name
        if not place.exists():
            place.touch()
        return place

    def do(self, *words, **more):
        """Runs a command of the card's own system."""
        return sh("chroot", self.root, *words, **more)

    def written_bytes(self):
        """What the card was told to write so far, the file system's journal included."""
        sh("sync", "-f", self.root)
        statistics = Path(f"/sys/block/{Path(self.loop).name}/stat").read_text().split()
        return int(statistics[6]) * SECTOR

    def pulled(self, folder):
        """The image as it is this moment, nothing synced: what a card has whose power was cut. Says what fsck made of it,
        and mounts it at `folder`."""
        copy = self.image.with_name("pulled.img")
        sh("cp", "--sparse=always", self.image, copy)
        checked = subprocess.run(["e2fsck", "-fy", str(copy)], text=True, capture_output=True, check=False)
        if checked.returncode > 1:
            raise SystemExit(f"the pulled card: {checked.stdout}{checked.stderr}")
        folder.mkdir(exist_ok=True)
        sh("mount", "-o", "loop", copy, folder)
        return checked.stdout.strip().splitlines()[-1]

    def close(self):
        """Takes it out again."""
        for place in ["dev/null", "dev/urandom", "proc", "."]:
            # Lazily: a socket of ours that lies there holds it until we end.
            subprocess.run(["umount", "--lazy", str(self.root / place)], check=False, capture_output=True)
        subprocess.run(["losetup", "--detach", self.loop], check=False, capture_output=True)
        self.image.unlink(missing_ok=True)
        self.image.with_name("pulled.img").unlink(missing_ok=True)
