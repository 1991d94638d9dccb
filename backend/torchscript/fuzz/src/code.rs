//! Changes of TorchScript code: lines, tokens, and new statements that mostly compile.

use std::sync::LazyLock;

use crate::random::Random;

/// Calls of the operators that the importer knows, with places for their arguments; `seeds/networks.py` writes the list.
static CALLS: LazyLock<Vec<&'static str>> = LazyLock::new(|| include_str!("../seeds/calls.txt").lines().collect());

/// Statements: control flow, containers, and what hostile code would try. `$T`, `$I` and the others as in the list of calls;
/// `$V` is a name that is given a value.
const STATEMENTS: [&str; 24] = [
    "for i in range($I):\n  $T = torch.relu($T)",
    "while True:\n  $T = torch.relu($T)",
    "while torch.lt($I, $I):\n  pass",
    "if torch.eq(torch.size($T, $I), $I):\n  $V = $T\nelse:\n  $V = $T",
    "$V = annotate(List[Tensor], [])",
    "_9 = torch.append($N, $T)",
    "$V = torch.append($L, $I)",
    "$V = (self).forward($T, )",
    "$V = torch.zeros([$I, $I, $I])",
    "$V = torch.cat([$T, $T, $T], $I)",
    "$V = torch.slice($T, $I, $I, $I, $I)",
    "$V = torch.view($T, [$I, $I])",
    "$V = torch.mul($T, $T)",
    "$V = torch.add($T, $T)",
    "$V, $V = torch.split($T, $I, $I)",
    "$V = torch.chunk($T, $I, $I)",
    "$V = torch.list(torch.size($T))",
    "$V = torch.mul($I, $I)",
    "$V = torch.floordiv($I, $I)",
    "$V = torch.remainder($I, $I)",
    "$V = torch.mul([$T], $I)",
    "$V = torch.format($S, $I)",
    "ops.prim.RaiseException($S)",
    "$V = uninitialized(Tensor)",
];
const TYPES: [&str; 9] =
    ["Tensor", "int", "float", "bool", "str", "List[Tensor]", "List[int]", "Optional[Tensor]", "Dict[str, Tensor]"];

/// The text with one change; `other` is code to take lines from.
pub fn changed(text: &str, other: &str, random: &mut Random) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return text.to_owned();
    }
    let place = random.below(lines.len());
    match random.below(16) {
        0 => drop(lines.remove(place)),
        1 => {
            let target = random.below(lines.len());
            lines.swap(place, target);
        }
        2 => {
            let line = lines[place].clone();
            lines.insert(random.below(lines.len() + 1), line);
        }
        3 => {
            let donors: Vec<&str> = other.lines().collect();
            lines.insert(place, random.pick(&donors).copied().unwrap_or_default().to_owned());
        }
        4 => lines[place] = with_another_indentation(&lines[place], random),
        5 => nest(&mut lines, place, random),
        6..=8 => lines[place] = with_another_number(&lines[place], random),
        9..=11 => lines[place] = with_another_name(&lines[place], text, random),
        12 => lines[place] = lines[place].replace("Tensor", TYPES[random.below(TYPES.len())]),
        _ => insert_statement(&mut lines, random),
    }
    lines.join("\n") + "\n"
}

fn with_another_indentation(line: &str, random: &mut Random) -> String {
    let body = line.trim_start();
    " ".repeat((line.len() - body.len() + 4).saturating_sub(2 * random.below(5))) + body
}

/// Brackets, operators or blocks inside each other.
fn nest(lines: &mut Vec<String>, place: usize, random: &mut Random) {
    let most = if random.once_in(8) { 2000 } else { 60 };
    let times = 1 + random.below(most);
    match random.below(5) {
        0 => lines[place] = lines[place].replacen('(', &"(".repeat(times), 1),
        1 => lines[place] += &" + x".repeat(times),
        2 => lines[place] = lines[place].replacen("= ", &format!("= {}", "-".repeat(times)), 1),
        3 => lines[place] = lines[place].replacen("= ", &format!("= {}", "not ".repeat(times)), 1),
        _ => {
            let indentation = lines[place].len() - lines[place].trim_start().len();
            let blocks = (0..times.min(120)).map(|i| " ".repeat(indentation + 2 * i) + "if True:").collect::<Vec<_>>();
            let inner = " ".repeat(indentation + 2 * blocks.len()) + "pass";
            lines.splice(place..place, blocks.into_iter().chain([inner]));
        }
    }
}

fn with_another_number(line: &str, random: &mut Random) -> String {
    let digits: Vec<usize> = (0..line.len()).filter(|&i| is_number_start(line.as_bytes(), i)).collect();
    let Some(&start) = random.pick(&digits) else {
        return line.to_owned();
    };
    let end = line[start..].find(|c: char| !c.is_ascii_digit()).map_or(line.len(), |length| start + length);
    let number = if random.once_in(8) { format!("{:?}", random.real()) } else { random.number().to_string() };
    format!("{}{number}{}", &line[..start], &line[end..])
}

fn is_number_start(line: &[u8], index: usize) -> bool {
    let before = index.checked_sub(1).and_then(|i| line.get(i)).copied().unwrap_or(b' ');
    line[index].is_ascii_digit() && !before.is_ascii_alphanumeric() && before != b'_' && before != b'.'
}

/// One word of a line becomes another word of the text.
fn with_another_name(line: &str, text: &str, random: &mut Random) -> String {
    let is_break = |c: char| !c.is_alphanumeric() && c != '_' && c != '.';
    let words: Vec<&str> = line.split(is_break).filter(|w| !w.is_empty()).collect();
    let all: Vec<&str> = text.split(is_break).filter(|w| !w.is_empty()).collect();
    match (random.pick(&words), random.pick(&all)) {
        (Some(old), Some(new)) => line.replacen(old, new, 1),
        _ => line.to_owned(),
    }
}

/// Writes a statement behind another one in the same block; some take the place of the name that the next line reads.
fn insert_statement(lines: &mut Vec<String>, random: &mut Random) {
    let is_statement = |line: &&String| line.starts_with("    ") && line.contains(" = ");
    let statements: Vec<usize> = (0..lines.len()).filter(|&i| is_statement(&&lines[i])).collect();
    let Some(&place) = random.pick(&statements) else {
        return;
    };
    let indentation = lines[place].len() - lines[place].trim_start().len();
    let names: Vec<String> = lines[..=place]
        .iter()
        .rev()
        .take_while(|line| !line.trim_start().starts_with("def "))
        .filter_map(|line| line.split_once(" = ").map(|(names, _)| names.trim().to_owned()))
        .collect();
    // The newest name most often: what follows reads it.
    let newest = names.first().cloned().unwrap_or_default();
    let target = if random.once_in(3) { format!("v{}", random.below(100)) } else { newest };
    let template = match random.below(4) {
        0 => random.pick(&STATEMENTS).map(|s| (*s).to_owned()),
        _ => random.pick(&CALLS).map(|call| format!("$V = {call}")),
    };
    let statement = filled(&template.unwrap_or_default(), &names, &target, random);
    for (offset, line) in statement.lines().enumerate() {
        lines.insert(place + 1 + offset, " ".repeat(indentation) + line);
    }
}

fn filled(template: &str, names: &[String], target: &str, random: &mut Random) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        text += before;
        let kind = after.chars().next().unwrap_or_default();
        text += &argument(kind, names, target, random);
        rest = after.get(kind.len_utf8()..).unwrap_or_default();
    }
    text + rest
}

fn argument(kind: char, names: &[String], target: &str, random: &mut Random) -> String {
    let name = |random: &mut Random| match random.below(3) {
        0 => random.pick(names).cloned().unwrap_or_default(),
        1 => names.first().cloned().unwrap_or_default(),
        _ => "x".to_owned(),
    };
    let number = |random: &mut Random| random.number().to_string();
    match kind {
        'V' => target.to_owned(),
        'T' => name(random),
        'I' if random.once_in(4) => format!("torch.size({}, {})", name(random), random.below(4)),
        'I' => number(random),
        'F' => format!("{:?}", random.real()).replace("NaN", "nan"),
        'B' => ["True", "False"][random.below(2)].to_owned(),
        'S' => ["\"{}\"", "\"mean\"", "\"bilinear\"", "\"constant\"", "\"reflect\"", "\"ij,jk->ik\"", "\"\""]
            [random.below(7)]
        .to_owned(),
        'L' if random.once_in(6) => format!("torch.size({})", name(random)),
        'L' => format!("[{}]", (0..random.below(5)).map(|_| number(random)).collect::<Vec<_>>().join(", ")),
        'N' => format!("[{}]", (0..random.below(4)).map(|_| name(random)).collect::<Vec<_>>().join(", ")),
        _ => match random.below(3) {
            0 => name(random),
            1 => number(random),
            _ => "None".to_owned(),
        },
    }
}
