// Verifies one entry of the ledger from what the page holds: the commitment, the way to the
// root, the checkpoint, and its signature. Nothing is asked of the server.
(() => {
  'use strict';
  const box = document.getElementById('check');
  if (!box) return;
  const button = box.querySelector('button'), list = box.querySelector('ol'), subtle = window.crypto && window.crypto.subtle;

  const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const hex = (b) => Array.from(b, (x) => x.toString(16).padStart(2, '0')).join('');
  const unhex = (s) => Uint8Array.from(s.match(/../g) || [], (x) => parseInt(x, 16));
  const join = (...parts) => {
    const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    parts.reduce((at, p) => { out.set(p, at); return at + p.length; }, 0);
    return out;
  };
  const sha256 = async (b) => new Uint8Array(await subtle.digest('SHA-256', b));
  const same = (a, b) => hex(a) === hex(b);

  // RFC 9162, 2.1.3.2.
  const rootOf = async (leaf, index, size, proof) => {
    let fn = BigInt(index), sn = BigInt(size) - 1n, node = leaf;
    for (const p of proof) {
      if (sn === 0n) throw new Error('the proof is too long');
      if ((fn & 1n) === 1n || fn === sn) {
        node = await sha256(join([1], p, node));
        while ((fn & 1n) === 0n && fn !== 0n) { fn >>= 1n; sn >>= 1n; }
      } else {
        node = await sha256(join([1], node, p));
      }
      fn >>= 1n; sn >>= 1n;
    }
    if (sn !== 0n) throw new Error('the proof is too short');
    return node;
  };

  // DER ECDSA-Sig-Value to the two numbers side by side that WebCrypto takes.
  const plain = (der) => {
    const out = new Uint8Array(64);
    let at = 2;
    for (const end of [32, 64]) {
      const length = der[at + 1], number = der.slice(at + 2, at + 2 + length);
      const short = number.length > 32 ? number.slice(number.length - 32) : number;
      out.set(short, end - short.length);
      at += 2 + length;
    }
    return out;
  };

  const signed = async (spki, text, signature) => {
    if (spki.length === 44) { // Ed25519, RFC 8410
      const key = await subtle.importKey('spki', spki, 'Ed25519', false, ['verify']);
      return subtle.verify('Ed25519', key, signature, text);
    }
    const key = await subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify']);
    return subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, plain(signature), text);
  };

  const steps = async (d, say) => {
    const leaf = bytes(d.leaf);
    if (d.salt) {
      const commitment = hex(await sha256(join(bytes(d.salt), bytes(d.document))));
      say(JSON.parse(new TextDecoder().decode(leaf)).commitment === commitment, 'the leaf commits to the document shown here');
    }
    const proof = d.proof ? d.proof.split(' ').map(unhex) : [];
    const root = await rootOf(await sha256(join([0], leaf)), d.index, d.size, proof);
    const note = new TextDecoder().decode(bytes(d.note)), cut = note.indexOf('\n\n');
    const text = note.slice(0, cut + 1), lines = text.split('\n');
    say(same(root, bytes(lines[2])), 'the entry and ' + proof.length + ' hashes give the root of the checkpoint');
    say(lines[0] === d.origin && lines[1] === d.size, 'the checkpoint is of ' + d.size + ' entries of ' + d.origin);
    let found = false;
    for (const line of note.slice(cut + 2).split('\n')) {
      const [, name, value] = line.match(/^\u2014 (\S+) (\S+)$/) || [];
      if (name !== d.origin) continue;
      found = await signed(bytes(d.key), new TextEncoder().encode(text), bytes(value).slice(4)) || found;
    }
    say(found, 'the checkpoint is signed by the log\u2019s key');
  };

  button.hidden = false;
  button.addEventListener('click', async () => {
    list.textContent = '';
    let good = true;
    const say = (ok, what) => {
      good = good && ok;
      const item = document.createElement('li');
      item.className = ok ? 'word good' : 'word bad';
      item.textContent = (ok ? '\u2713 ' : '\u2715 does not hold: ') + what;
      list.append(item);
    };
    try {
      if (!subtle) throw new Error('this browser verifies only on pages served over https');
      await steps(box.dataset, say);
    } catch (e) {
      say(false, e && e.name === 'NotSupportedError' ? 'this browser does not know the log key\u2019s algorithm' : (e && e.message) || 'the page could not be verified');
    }
    box.dataset.verified = good ? 'yes' : 'no';
  });
})();
