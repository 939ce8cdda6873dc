"""Content Credentials of published clips, with a certificate that the test makes."""

import datetime as dt
import json
import sys
from pathlib import Path

import pytest
from tests.dataset.conftest import record, write_dataset
from tests.dataset.trees import grow
from tests.running import called, refused

from dfmnist.dataset.info import DatasetInfo, write_info
from dfmnist.dataset.manifest import Clip, read_manifest, write_manifest
from dfmnist.dataset.verify import verify
from dfmnist.media.video import read_comment

x509 = pytest.importorskip("cryptography.x509", reason="`cryptography` is not installed")
c2pa = pytest.importorskip("c2pa", reason="`c2pa-python` is not installed")

from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: E402

PEM = serialization.Encoding.PEM


def certificate(subject: str, issuer: str, public: object, key: object, top: bool) -> object:
    """A certificate as C2PA asks for it: of a signer of email, or of the authority above."""

    def named(name: str) -> object:
        oid = x509.oid.NameOID
        parts = ((oid.ORGANIZATION_NAME, "Tests"), (oid.COMMON_NAME, name))
        return x509.Name([x509.NameAttribute(kind, text) for kind, text in parts])

    now = dt.datetime.now(dt.UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
         "encipher_only", "decipher_only"), False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=top, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not top, key_cert_sign=top, crl_sign=top, **usage),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    )
    if not top:
        emails = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.EMAIL_PROTECTION])
        builder = builder.add_extension(emails, critical=False)
    return builder.sign(key, hashes.SHA256())


def write_key(path: Path, key: object) -> Path:
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(PEM, form, serialization.NoEncryption()))
    return path


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Certificate chain and key of a signer."""
    folder = tmp_path_factory.mktemp("signer")
    top, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    chain = (
        certificate("Signer", "Authority", own.public_key(), top, top=False),
        certificate("Authority", "Authority", top.public_key(), top, top=True),
    )
    pem = folder / "chain.pem"
    pem.write_bytes(b"".join(one.public_bytes(PEM) for one in chain))
    return pem, write_key(folder / "key.pem", own)


def test_every_built_clip_is_signed(
    tmp_path: Path, signer: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Real and fake alike; tags and pictures stay; a second run signs nothing again."""
    root, out = write_dataset(tmp_path / "dataset", people=3), tmp_path / "out"
    write_info(root, DatasetInfo(kind="built", synthetic_actors=True))
    way = ("dataset", "export", root, "--out", out, "--c2pa", *signer)
    code, said, err = called(capsys, *way)
    assert code == 0, err
    assert "6 files" in said
    assert verify(out) == []
    before = {c.clip_id: c for c in read_manifest(root).clips}
    manifests = {}
    for clip in read_manifest(out).clips:
        path = out / clip.file_name
        assert read_comment(path).startswith(f"dfmnist {clip.label}: ")
        assert clip.sha256 != before[clip.clip_id].sha256
        with c2pa.Reader(str(path)) as reader:
            assert reader.get_validation_state() == "Valid"
            manifest = json.loads(reader.json())
        (manifests[clip.label],) = manifest["manifests"].values()
    actions = {
        label: next(a for a in one["assertions"] if a["label"] == "c2pa.actions.v2")["data"]
        for label, one in manifests.items()
    }
    kind = {a: d["actions"][0]["digitalSourceType"].rpartition("/")[2] for a, d in actions.items()}
    assert kind == {"fake": "trainedAlgorithmicMedia", "real": "algorithmicMedia"}
    assert manifests["fake"]["signature_info"]["common_name"] == "Signer"
    own = next(a for a in manifests["fake"]["assertions"] if a["label"] == "io.dfmnist.clip")
    assert own["data"]["generator"] == "fomm-actors@01234567"
    assert "6 files carry signed Content Credentials" in (out / "README.md").read_text()
    sums = (out / "SHA256SUMS").read_bytes()
    assert called(capsys, *way)[0] == 0
    assert (out / "SHA256SUMS").read_bytes() == sums

    data = bytearray(path.read_bytes())
    data[-200] ^= 255  # a changed picture
    (tmp_path / "changed.mp4").write_bytes(data)
    with c2pa.Reader(str(tmp_path / "changed.mp4")) as reader:
        assert reader.get_validation_state() == "Invalid"


def test_others_clips_are_not_signed(
    tmp_path: Path, signer: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = grow(tmp_path / "dataset", "a.mp4")
    clip = Clip(
        file_name="a.mp4", label="real", split="train", identities=("a",), licence="MIT",
        consent="given",
    )  # fmt: skip
    write_manifest(root, [clip])
    out = tmp_path / "out"
    code, _, err = called(capsys, "dataset", "export", root, "--out", out, "--c2pa", *signer)
    assert code == 0
    assert "0 of 1 files are signed: the others were not built here" in err
    assert (out / "train/original/real/a.mp4").read_bytes() == (root / "a.mp4").read_bytes()


def test_bad_keys_are_one_line(
    tmp_path: Path,
    signer: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tmp_path / "dataset"
    grow(root, "a.mp4")
    write_manifest(root, [record(file_name="a.mp4")])
    chain, key = signer
    other = write_key(tmp_path / "other.pem", ed25519.Ed25519PrivateKey.generate())
    for given, message in (
        ((key, key), f"{key}: holds no certificate"),
        ((chain, chain), f"{chain}: holds no private key"),
        ((chain, other), f"{other}: is not the key of {chain}"),
        ((chain, tmp_path / "none"), "none: cannot be read (No such file"),
    ):
        line = refused(capsys, "dataset", "export", root, "--out", tmp_path / "o", "--c2pa", *given)
        assert message in line
    monkeypatch.setitem(sys.modules, "c2pa", None)
    line = refused(capsys, "dataset", "export", root, "--out", tmp_path / "o", "--c2pa", *signer)
    assert "--c2pa needs the extra 'c2pa': pip install 'dfmnist[c2pa]'" in line
