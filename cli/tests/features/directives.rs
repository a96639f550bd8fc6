//! What a feature's C file asks for: runs, options, packets.

use offwire_harness::PacketIn;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Bytes of `struct request` in feature.h.
pub(crate) const REQUEST: usize = 64;

/// Members of `struct request` with place and size.
pub(crate) const MEMBERS: [(&str, usize, usize); 9] = [
    ("op", 0, 4),
    ("key", 4, 4),
    ("value", 8, 8),
    ("flags", 16, 8),
    ("result", 24, 8),
    ("seen", 32, 8),
    ("more0", 40, 8),
    ("more1", 48, 8),
    ("more2", 56, 8),
];

/// A run: a fresh back end, options, packets.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// As they stand behind `// run:`.
    pub(crate) title: String,
    pub(crate) prog: Option<String>,
    pub(crate) set: Vec<(String, String)>,
    pub(crate) map_entries: Vec<(String, u32)>,
    /// Map file beside the source.
    pub(crate) maps: Option<String>,
    /// Each with the words that made it.
    pub(crate) packets: Vec<(String, PacketIn)>,
}

/// All directives of a file.
#[derive(Debug, Default)]
pub(crate) struct Feature {
    pub(crate) runs: Vec<Run>,
    /// Maps at their capacity, of which only the number of entries is compared.
    pub(crate) capacity: Vec<String>,
    /// Why the kernel cannot run it.
    pub(crate) not_on_host: Option<String>,
}

/// Reads the directives of a C file.
///
/// # Panics
/// If a directive is wrong.
pub(crate) fn read(source: &Path) -> Feature {
    let text = std::fs::read_to_string(source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
    let symbols = symbols(&text);
    let mut feature = Feature::default();
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: String| -> ! { panic!("{}:{}: {what}", source.display(), number + 1) };
        let Some((kind, rest)) = line.strip_prefix("// ").and_then(|line| line.split_once(':')) else { continue };
        match kind {
            "run" => feature.runs.push(run(rest).unwrap_or_else(|what| wrong(what))),
            "packet" => add(&mut feature, rest, &symbols).unwrap_or_else(|what| wrong(what)),
            "capacity" => feature.capacity.push(rest.trim().into()),
            "not on host" => feature.not_on_host = Some(rest.trim().into()),
            kind if kind.starts_with("for ") => {
                let (name, range) = repetition(kind).unwrap_or_else(|| wrong("wants `for NAME in A..B`".into()));
                for value in range {
                    let mut symbols = symbols.clone();
                    symbols.insert(name.clone(), value);
                    add(&mut feature, rest, &symbols).unwrap_or_else(|what| wrong(what));
                }
            }
            _ => {}
        }
    }
    assert!(feature.runs.iter().any(|run| !run.packets.is_empty()), "{}: no packets", source.display());
    feature
}

fn repetition(kind: &str) -> Option<(String, Range<i128>)> {
    let (name, range) = kind.strip_prefix("for ")?.split_once(" in ")?;
    let (from, to) = range.split_once("..")?;
    Some((name.trim().into(), from.trim().parse().ok()?..to.trim().parse().ok()?))
}

fn add(feature: &mut Feature, words: &str, symbols: &BTreeMap<String, i128>) -> Result<(), String> {
    if feature.runs.is_empty() {
        feature.runs.push(Run::default());
    }
    let Some(run) = feature.runs.last_mut() else { return Ok(()) };
    let before = run.packets.last().map_or(0, |(_, packet)| packet.arrival_ns);
    let packet = packet(words, symbols, before)?;
    // The names of a repetition are shown with their values.
    let shown: Vec<String> = words.split_whitespace().map(|word| shown(word, symbols)).collect();
    run.packets.push((shown.join(" "), packet));
    Ok(())
}

fn shown(word: &str, symbols: &BTreeMap<String, i128>) -> String {
    match word.split_once('=') {
        Some((name, expression)) if expression.chars().any(char::is_lowercase) && !expression.starts_with("0x") => {
            match value(expression, symbols) {
                Ok(value) => format!("{name}={value}"),
                Err(_) => word.into(),
            }
        }
        _ => word.into(),
    }
}

/// Options as `offwire` takes them, apart from `--maps`, which names a file beside the source.
fn run(words: &str) -> Result<Run, String> {
    let mut run = Run { title: words.trim().into(), ..Run::default() };
    let mut words = words.split_whitespace();
    while let Some(option) = words.next() {
        let argument = words.next().ok_or_else(|| format!("{option} wants an argument"))?;
        let pair = argument.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        match (option, pair) {
            ("--prog", _) => run.prog = Some(argument.into()),
            ("--maps", _) => run.maps = Some(argument.into()),
            ("--set", Some(pair)) => run.set.push(pair),
            ("--map-entries", Some((name, entries))) => {
                run.map_entries.push((name, entries.parse().map_err(|_| format!("{entries} is no number"))?));
            }
            _ => return Err(format!("unknown option {option} {argument}")),
        }
    }
    Ok(run)
}

/// `OP member=VALUE ...`, or `hex BYTES`. Besides the members of `struct request`: `length` and `fill` (a byte, or `ramp`), `port`,
/// `queue`, `after` (nanoseconds behind the packet before), and `u8@PLACE`, `u16@`, `u32@`, `u64@` for numbers anywhere.
fn packet(words: &str, symbols: &BTreeMap<String, i128>, before: u64) -> Result<PacketIn, String> {
    let words: Vec<&str> = words.split_whitespace().collect();
    if let [first, rest @ ..] = words.as_slice()
        && *first == "hex"
    {
        let digits = rest.concat();
        let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2).unwrap_or("?"), 16);
        let bytes = (0..digits.len()).step_by(2).map(byte).collect::<Result<_, _>>();
        let bytes = bytes.map_err(|_| format!("{digits} is not hexadecimal"))?;
        return Ok(PacketIn { bytes, port: 0, rx_queue: 0, arrival_ns: before });
    }
    let mut packet = PacketIn { bytes: vec![0; REQUEST], port: 0, rx_queue: 0, arrival_ns: before };
    let mut fields = Vec::new();
    let (mut fill, mut ramp) = (0, false);
    for (at, word) in words.iter().enumerate() {
        let (name, expression) = match word.split_once('=') {
            Some(pair) => pair,
            None if at == 0 => ("op", *word),
            None => return Err(format!("{word} is no assignment")),
        };
        if (name, expression) == ("fill", "ramp") {
            ramp = true;
            continue;
        }
        let number = value(expression, symbols)?;
        let whole = |most: i128| {
            if (0..=most).contains(&number) { Ok(number as u64) } else { Err(format!("{word} is out of range")) }
        };
        match name {
            "length" => packet.bytes.resize(whole(1 << 16)? as usize, 0),
            "fill" => fill = whole(255)? as u8,
            "port" => packet.port = whole(1 << 16)? as u32,
            "queue" => packet.rx_queue = whole(1 << 16)? as u32,
            "after" => packet.arrival_ns = before.saturating_add(whole(1 << 60)?),
            _ => {
                let (at, size) = field(name)?;
                fields.push((at, size, number));
            }
        }
    }
    for (at, byte) in packet.bytes.iter_mut().enumerate() {
        *byte = if ramp { at as u8 } else { fill };
    }
    for (at, size, number) in fields {
        let bytes = (number as u64).to_le_bytes();
        // What lies behind the end is cut: short packets have only the first members.
        for (to, from) in packet.bytes.iter_mut().skip(at).zip(bytes.iter().take(size)) {
            *to = *from;
        }
    }
    Ok(packet)
}

/// Place and size of a member, or of `u32@40`.
fn field(name: &str) -> Result<(usize, usize), String> {
    if let Some(&(_, at, size)) = MEMBERS.iter().find(|(member, ..)| *member == name) {
        return Ok((at, size));
    }
    let unknown = || format!("{name} is unknown");
    let (kind, at) = name.split_once('@').ok_or_else(unknown)?;
    let size = match kind {
        "u8" => 1,
        "u16" => 2,
        "u32" => 4,
        "u64" => 8,
        _ => return Err(unknown()),
    };
    Ok((at.parse().map_err(|_| unknown())?, size))
}

/// Numbers, names of enumerators, the names of repetitions, with + - * from left to right.
fn value(expression: &str, symbols: &BTreeMap<String, i128>) -> Result<i128, String> {
    let operator = expression.char_indices().skip(1).filter(|(_, c)| matches!(c, '+' | '-' | '*')).last();
    if let Some((at, operator)) = operator {
        let (left, right) = (value(&expression[..at], symbols)?, value(&expression[at + 1..], symbols)?);
        return Ok(match operator {
            '+' => left + right,
            '-' => left - right,
            _ => left * right,
        });
    }
    if let Some(&known) = symbols.get(expression) {
        return Ok(known);
    }
    let number = match expression.strip_prefix("0x") {
        Some(digits) => i128::from_str_radix(digits, 16).ok(),
        None => expression.parse().ok(),
    };
    number.ok_or_else(|| format!("{expression} is neither a number nor a name of an enum"))
}

/// Enumerators of the file's enums, by name: `enum { A, B = 5 };`.
fn symbols(text: &str) -> BTreeMap<String, i128> {
    let mut known = BTreeMap::from([
        ("ANY".to_string(), 0),
        ("NOEXIST".to_string(), 1),
        ("EXIST".to_string(), 2),
        ("F_LOCK".to_string(), 4),
    ]);
    for part in text.split("enum ").skip(1) {
        let Some((_, body)) = part.split_once('{') else { continue };
        let body = body.split('}').next().unwrap_or_default();
        let mut next = 0;
        for enumerator in body.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            let (name, number) = match enumerator.split_once('=') {
                Some((name, number)) => (name.trim(), value(number.trim(), &known).unwrap_or(next)),
                None => (enumerator, next),
            };
            known.insert(name.into(), number);
            next = number + 1;
        }
    }
    known
}
