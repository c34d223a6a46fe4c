use alloy_primitives::hex;
use bech32::{Hrp, primitives::iter::Fe32IterExt};
use proptest::prelude::*;
use secp256k1::SecretKey;

use super::*;

/// Time of the specification's examples.
const TIME: u64 = 1_496_314_658;
const PAYEE: &str = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad";
const PAYMENT_HASH: &str = "0001020304050607080900010203040506070809000102030405060708090102";

/// Examples of BOLT 11 with amount and expiry.
const VALID: [(&str, Option<u64>, u64); 8] = [
    (
        "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql",
        None,
        3_600,
    ),
    (
        "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh",
        Some(250_000_000),
        60,
    ),
    (
        "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpu9qrsgqhtjpauu9ur7fw2thcl4y9vfvh4m9wlfyz2gem29g5ghe2aak2pm3ps8fdhtceqsaagty2vph7utlgj48u0ged6a337aewvraedendscp573dxr",
        Some(250_000_000),
        60,
    ),
    (
        "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqs9qrsgq7ea976txfraylvgzuxs8kgcw23ezlrszfnh8r6qtfpr6cxga50aj6txm9rxrydzd06dfeawfk6swupvz4erwnyutnjq7x39ymw6j38gp7ynn44",
        Some(2_000_000_000),
        3_600,
    ),
    (
        // With a route of two nodes and a fallback address.
        "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqsfpp3qjmp7lwpagxun9pygexvgpjdc4jdj85fr9yq20q82gphp2nflc7jtzrcazrra7wwgzxqc8u7754cdlpfrmccae92qgzqvzq2ps8pqqqqqqpqqqqq9qqqvpeuqafqxu92d8lr6fvg0r5gv0heeeqgcrqlnm6jhphu9y00rrhy4grqszsvpcgpy9qqqqqqgqqqqq7qqzq9qrsgqdfjcdk6w3ak5pca9hwfwfh63zrrz06wwfya0ydlzpgzxkn5xagsqz7x9j4jwe7yj7vaf2k9lqsdk45kts2fd0fkr28am0u4w95tt2nsq76cqw0",
        Some(2_000_000_000),
        3_600,
    ),
    (
        "LNBC25M1PVJLUEZPP5QQQSYQCYQ5RQWZQFQQQSYQCYQ5RQWZQFQQQSYQCYQ5RQWZQFQYPQDQ5VDHKVEN9V5SXYETPDEESSP5ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYGS9Q5SQQQQQQQQQQQQQQQQSGQ2A25DXL5HRNTDTN6ZVYDT7D66HYZSYHQS4WDYNAVYS42XGL6SGX9C4G7ME86A27T07MDTFRY458RTJR0V92CNMSWPSJSCGT2VCSE3SGPZ3UAPA",
        Some(2_500_000_000),
        3_600,
    ),
    (
        // With fields that must be skipped: hashes and keys of other lengths.
        "lnbc25m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5vdhkven9v5sxyetpdeessp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9q5sqqqqqqqqqqqqqqqqsgq2qrqqqfppnqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqppnqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqpp4qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqhpnqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqhp4qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqspnqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqsp4qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnp5qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnpkqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqz599y53s3ujmcfjp5xrdap68qxymkqphwsexhmhr8wdz5usdzkzrse33chw6dlp3jhuhge9ley7j2ayx36kawe7kmgg8sv5ugdyusdcqzn8z9x",
        Some(2_500_000_000),
        3_600,
    ),
    (
        // With metadata.
        "lnbc10m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdp9wpshjmt9de6zqmt9w3skgct5vysxjmnnd9jx2mq8q8a04uqsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9q2gqqqqqqsgq7hf8he7ecf7n4ffphs6awl9t6676rrclv9ckg3d3ncn7fct63p6s365duk5wrk202cfy3aj5xnnp5gs3vrdvruverwwq7yzhkf5a3xqpd05wjc",
        Some(1_000_000_000),
        3_600,
    ),
];

#[test]
fn invoice_reads_the_examples_of_the_specification() {
    for (text, amount, expiry) in VALID {
        let expected = Invoice {
            network: Network::Bitcoin,
            amount,
            timestamp: TIME,
            expiry,
            payment_hash: PAYMENT_HASH.parse().expect("a hash"),
            payee: hex::decode(PAYEE)
                .expect("a key")
                .try_into()
                .expect("33 bytes"),
        };
        assert_eq!(Invoice::read(text), Ok(expected.clone()), "{text}");
        assert_eq!(expected.expires(), TIME + expiry);
    }
    let testnet = "lntb20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygshp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqfpp3x9et2e20v6pu37c5d9vax37wxq72un989qrsgqdj545axuxtnfemtpwkc45hx9d2ft7x04mt8q7y6t0k2dge9e7h8kpy9p34ytyslj3yu569aalz2xdk8xkd7ltxqld94u8h2esmsmacgpghe9k8";
    let read = Invoice::read(testnet).expect("an invoice");
    assert_eq!(read.network, Network::Testnet);
    // An `s` in the upper half of its range leads to another key.
    let high = "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap2r09nt4ndd0unm3z9u5t48y6ucv4r5sg7lk98c77ctvjczkspk5qprc90gx";
    let payee = Invoice::read(high).expect("an invoice").payee;
    let expected = "02d0139ce7427d6dfffd26a326c18be754ef1e64672b42694ba5b23ef6e6e7803d";
    assert_eq!(hex::encode(payee), expected);
    // In picobitcoin, within one week.
    let pico = "lnbc9678785340p1pwmna7lpp5gc3xfm08u9qy06djf8dfflhugl6p7lgza6dsjxq454gxhj9t7a0sd8dgfkx7cmtwd68yetpd5s9xar0wfjn5gpc8qhrsdfq24f5ggrxdaezqsnvda3kkum5wfjkzmfqf3jkgem9wgsyuctwdus9xgrcyqcjcgpzgfskx6eqf9hzqnteypzxz7fzypfhg6trddjhygrcyqezcgpzfysywmm5ypxxjemgw3hxjmn8yptk7untd9hxwg3q2d6xjcmtv4ezq7pqxgsxzmnyyqcjqmt0wfjjq6t5v4khxsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygsxqyjw5qcqp2rzjq0gxwkzc8w6323m55m4jyxcjwmy7stt9hwkwe2qxmy8zpsgg7jcuwz87fcqqeuqqqyqqqqlgqqqqn3qq9q9qrsgqrvgkpnmps664wgkp43l22qsgdw4ve24aca4nymnxddlnp8vh9v2sdxlu5ywdxefsfvm0fq3sesf08uf6q9a2ke0hc9j6z6wlxg5z5kqpu2v9wz";
    let read = Invoice::read(pico).expect("an invoice");
    assert_eq!((read.amount, read.expiry), (Some(967_878_534), 604_800));
}

#[test]
fn invoice_refuses_the_invalid_examples_of_the_specification() {
    for (text, expected) in [
        // A wrong checksum, no prefix, and mixed case.
        (
            "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnqpnl2jfll544esqchsrnt",
            InvoiceError::Checksum,
        ),
        (
            "pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnqpnl2jfll544esqchsrny",
            InvoiceError::Checksum,
        ),
        (
            "LNBC2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnqpnl2jfll544esqchsrny",
            InvoiceError::Checksum,
        ),
        // A signature from which no key follows.
        (
            "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpusp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgqwgt7mcn5yqw3yx0w94pswkpq6j9uh6xfqqqtsk4tnarugeektd4hg5975x9am52rz4qskukxdmjemg92vvqz8nvmsye63r5ykel43pgz7zq0g2",
            InvoiceError::Signature,
        ),
        (
            "lnbc1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6na6hlh",
            InvoiceError::Part("it is too short"),
        ),
        (
            "lnbc2500x1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpusp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgqrrzc4cvfue4zp3hggxp47ag7xnrlr8vgcmkjxk3j5jqethnumgkpqp23z9jclu3v0a7e0aruz366e9wqdykw6dxhdzcjjhldxq0w6wgqcnu43j",
            InvoiceError::Amount("2500x".into()),
        ),
        (
            "lnbc2500000001p1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpusp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgq0lzc236j96a95uv0m3umg28gclm5lqxtqqwk32uuk4k6673k6n5kfvx3d2h8s295fad45fdhmusm8sjudfhlf6dcsxmfvkeywmjdkxcp99202x",
            InvoiceError::Amount("2500000001p".into()),
        ),
        (
            "lnbc20m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqs9qrsgq7ea976txfraylvgzuxs8kgcw23ezlrszfnh8r6qtfpr6cxga50aj6txm9rxrydzd06dfeawfk6swupvz4erwnyutnjq7x39ymw6j38gp49qdkj",
            InvoiceError::Part("it has no payment secret"),
        ),
        // A known key, and an `s` in the upper half of its range.
        (
            "lnbc25m1p70xwfzpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaqnp4q0n326hr8v9zprg8gsvezcch06gfaqqhde2aj730yg0durunfhv66sp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgqsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygsp5cfzp9ugllvk03rltd6hvndxj26ux6gcxc5azyxk060rj9tzghct5zvjlps76gx8wpq5yuu79688k8gnm2c0al6v608s96l0xzrrlqqwnzxmu",
            InvoiceError::Signature,
        ),
    ] {
        assert_eq!(Invoice::read(text), Err(expected), "{text}");
    }
}

#[test]
fn read_prefix_knows_networks_and_multipliers() {
    let read = |prefix: &str| read_prefix(prefix).ok();
    for (prefix, expected) in [
        ("lnbc", Some((Network::Bitcoin, None))),
        ("lnbcrt10n", Some((Network::Regtest, Some(1_000)))),
        ("lntb1", Some((Network::Testnet, Some(100_000_000_000)))),
        ("lntbs10p", Some((Network::Signet, Some(1)))),
        ("lnbc184467441", None),
        ("lnbcm", None),
        ("lnbc+1m", None),
        ("lnbc1é", None),
        ("lnxy1", None),
        ("bc1", None),
        ("", None),
    ] {
        assert_eq!(read(prefix), expected, "{prefix}");
    }
}

#[test]
fn long_checksum_is_that_of_bech32() {
    Long::sanity_check();
    assert_eq!(Long::TARGET_RESIDUE, Bech32::TARGET_RESIDUE);
}

fn text(prefix: &str, words: &[u8]) -> Option<String> {
    let hrp = Hrp::parse(prefix).ok()?;
    let words = words
        .iter()
        .map(|word| Fe32::try_from(*word % 32).expect("5 bits"));
    Some(words.with_checksum::<Long>(&hrp).chars().collect())
}

/// Returns bytes as groups of 5 bits.
fn unpack(bytes: &[u8], groups: usize) -> Vec<u8> {
    let bit = |at: usize| {
        bytes
            .get(at / 8)
            .is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
    };
    let group = |group: usize| (0..5).fold(0, |word, at| word << 1 | u8::from(bit(group * 5 + at)));
    (0..groups).map(group).collect()
}

/// Returns an invoice that a key signed, with or without the key in it.
fn signed(prefix: &str, time: u64, hash: [u8; 32], secret: &SecretKey, tell: bool) -> String {
    let key = PublicKey::from_secret_key(SECP256K1, secret).serialize();
    let mut data = unpack(&(time << 29).to_be_bytes(), TIMESTAMP);
    data.extend([1, 1, 20]);
    data.extend(unpack(&hash, HASH));
    data.extend([16, 1, 20]);
    data.extend(unpack(&[7; 32], HASH));
    if tell {
        data.extend([19, 1, 21]);
        data.extend(unpack(&key, KEY));
    }
    let digest = Sha256::digest([prefix.as_bytes(), &pack(&data)].concat());
    let signature = SECP256K1.sign_ecdsa_recoverable(Message::from_digest(digest.into()), secret);
    let (id, bytes) = signature.serialize_compact();
    let id = u8::try_from(i32::from(id)).expect("at most 3");
    // With a key, the number for the recovery may be anything.
    let id = if tell { 3 - id } else { id };
    data.extend(unpack(&[&bytes[..], &[id]].concat(), SIGNATURE));
    text(prefix, &data).expect("a prefix")
}

proptest! {
    #[test]
    fn invoice_reads_what_any_key_signed(
        secret in any::<[u8; 32]>(),
        hash in any::<[u8; 32]>(),
        time in 0..1_u64 << 35,
        tell in any::<bool>(),
        at in 20..60_usize,
    ) {
        let Ok(secret) = SecretKey::from_byte_array(secret) else {
            return Ok(());
        };
        let invoice = signed("lnbcrt12340n", time, hash, &secret, tell);
        let read = Invoice::read(&invoice).expect("an invoice");
        let payee = PublicKey::from_secret_key(SECP256K1, &secret).serialize();
        prop_assert_eq!((read.timestamp, read.payment_hash), (time, B256::from(hash)));
        prop_assert_eq!((read.amount, read.payee), (Some(1_234_000), payee));
        // Another hash or time, with a right checksum, is not signed by this key.
        let checked = CheckedHrpstring::new::<Long>(&invoice).expect("Bech32");
        let mut words: Vec<_> = checked.fe32_iter().map(Fe32::to_u8).collect();
        words[at] ^= 1;
        let forged = Invoice::read(&text("lnbcrt12340n", &words).expect("a text"));
        prop_assert!(forged.is_err() || forged.is_ok_and(|it| !tell && it.payee != payee));
    }

    #[test]
    fn invoice_never_panics(
        prefix in "(lnbc|lntb|lnbcrt|lntbs)[0-9]{0,25}[munp]?",
        words in prop::collection::vec(any::<u8>(), 0..400),
        raw in ".{0,100}",
    ) {
        let _ = Invoice::read(&raw);
        if let Some(text) = text(&prefix, &words) {
            let _ = Invoice::read(&text);
        }
    }

    #[test]
    fn pack_undoes_unpack(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let groups = (bytes.len() * 8).div_ceil(5);
        prop_assert_eq!(&pack(&unpack(&bytes, groups))[..bytes.len()], &bytes[..]);
    }
}
