"""Content Credentials (C2PA) in published clips: a signed statement of what made the clip.

The specification is at https://c2pa.org/specifications/; the package is `c2pa-python`. Only clips
that this project built are signed, real and fake ones alike, since nobody here can vouch for
others' clips.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dfmnist import __version__
from dfmnist.core.errors import InputError
from dfmnist.core.extras import need
from dfmnist.core.files import atomic_path
from dfmnist.dataset.clip import Clip

_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""IPTC's list of how media came to be, which C2PA uses."""
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
"""C2PA's name of the signature by the name of a key's curve."""


@dataclass(frozen=True)
class Signing:
    """Certificate and key that sign a dataset's clips."""

    certificates: bytes
    """The signer's certificate and those above it, in PEM."""
    key: bytes
    """The private key in PEM, without a password."""
    algorithm: str
    """C2PA's name of the signature, such as `es256`."""
    synthetic_actors: bool
    """Whether everyone in the clips is a synthetic actor."""


def read_signing(certificate: Path, key: Path, synthetic_actors: bool) -> Signing:
    """Read a certificate chain and a private key from PEM files.

    Raises `InputError` for a file that holds something else, a key that is not the certificate's,
    and where `c2pa-python` is not installed.
    """
    need("c2pa", extra="c2pa", for_what="--c2pa")
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    chain_pem, key_pem = _read(certificate), _read(key)
    try:
        chain = x509.load_pem_x509_certificates(chain_pem)
    except ValueError:
        expected = "a certificate chain in PEM, the signer's certificate first"
        raise InputError.of(certificate, "holds no certificate", expected) from None
    try:
        private = load_pem_private_key(key_pem, None)
    except (ValueError, TypeError):
        expected = "a private key in PEM without a password"
        raise InputError.of(key, "holds no private key", expected) from None
    if private.public_key() != chain[0].public_key():
        raise InputError.of(key, f"is not the key of {certificate}", "the signer's key")
    return Signing(chain_pem, key_pem, _algorithm(key, private), synthetic_actors)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError.of(path, f"cannot be read ({error.strerror})", "a PEM file") from None


def _algorithm(path: Path, key: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    raise InputError.of(path, "is a key of another kind", "RSA, Ed25519, P-256, P-384 or P-521")


def sign_clip(source: Path, target: Path, clip: Clip, signing: Signing) -> None:
    """Write the clip `source` with its Content Credentials to `target`, completely or not at all.

    Raises `InputError` if the package refuses the certificate or the file.
    """
    import c2pa

    info = c2pa.C2paSignerInfo(signing.algorithm, signing.certificates, signing.key, None)
    with atomic_path(target) as temporary:
        try:
            with (
                c2pa.Signer.from_info(info) as signer,
                c2pa.Builder(json.dumps(credentials(clip, target.name, signing))) as builder,
                source.open("rb") as read,
                temporary.open("w+b") as written,
            ):
                builder.sign(signer, "video/mp4", read, written)
        except c2pa.C2paError as error:
            said = f"cannot be signed ({error})"
            raise InputError.of(source, said, "a certificate that C2PA allows") from None


def credentials(clip: Clip, title: str, signing: Signing) -> Mapping[str, Any]:
    """The statement that is signed: how the clip came to be, and what its record says."""
    return {
        "claim_generator_info": [{"name": "dfmnist", "version": __version__}],
        "title": title,
        "format": "video/mp4",
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {
                    "actions": [
                        {
                            "action": "c2pa.created",
                            "digitalSourceType": _source_type(clip, signing.synthetic_actors),
                            "softwareAgent": {"name": "dfmnist", "version": __version__},
                        }
                    ]
                },
            },
            {
                "label": "io.dfmnist.clip",
                "data": {
                    name: getattr(clip, name)
                    for name in ("clip_id", "label", "quality", "method", "generator", "source")
                },
            },
        ],
    }


def _source_type(clip: Clip, synthetic_actors: bool) -> str:
    if clip.label == "fake":
        return f"{_SOURCE_TYPES}trainedAlgorithmicMedia"
    return f"{_SOURCE_TYPES}{'algorithmicMedia' if synthetic_actors else 'digitalCapture'}"
