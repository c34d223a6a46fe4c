#!/usr/bin/env python3
"""Writes vectors.json: macaroons that the Python package pymacaroons 0.13.0 made.

    pip install pymacaroons==0.13.0 && python3 vectors.py > vectors.json

That package derives the key that it signs with from the one it is given, as its ancestor in C does.
The vectors hold the derived key, because L402 uses a random key as it is.
"""

import base64
import hashlib
import hmac
import json

from pymacaroons import MACAROON_V2, Macaroon

vectors = []
for number, caveats in enumerate([
    [],
    ["services=label:0"],
    ["services=label:0", "label_capabilities=train,decide", "label_valid_until=1800000000"],
    ["services=label:0,other:3", "label_timeout=1700000000", "x" * 200, "ä=ö"],
]):
    seed = hashlib.sha256(b"macaroon %d" % number).digest()
    key = hashlib.sha256(b"key " + seed).digest()
    payment_hash = hashlib.sha256(b"payment " + seed).digest()
    token = hashlib.sha256(b"token " + seed).digest()
    macaroon = Macaroon(
        location="https://example.org" if number % 2 else "",
        identifier=b"\0\0" + payment_hash + token,
        key=key,
        version=MACAROON_V2,
    )
    for caveat in caveats:
        macaroon.add_first_party_caveat(caveat)
    text = macaroon.serialize()
    vectors.append({
        "key": hmac.new(b"macaroons-key-generator", key, hashlib.sha256).hexdigest(),
        "payment_hash": payment_hash.hex(),
        "token": token.hex(),
        "caveats": caveats,
        "location": macaroon.location or "",
        "text": text,
        "bytes": base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex(),
        "signature": macaroon.signature,
    })
print(json.dumps(vectors, indent=2, ensure_ascii=False))
