// Writes node20_generated.json: random patterns, and which of the texts Node matches with each.
// node node20_generated.js > node20_generated.json

let state = 20;
function random(limit) {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
}

const parts = [
  "a", "b", "o", "i", "1", "é", "ç", "😀", "👋", ".", "\\d", "\\w", "\\s", "\\b", "\\B", "\\D", "\\W", "\\S", "^", "$",
  "|", "(", ")", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?<x>", "(?<y>", "\\k<x>", "\\k", "\\1", "\\2", "[", "]", "[^",
  "[]", "[^]", "[a-z]", "[^a-z]", "[0-9]+", "[😀]", "[\\d-z]", "[\\b]", "-", "*", "+", "?", "*?", "+?", "{", "}", "{2}",
  "{1,2}", "{,2}", "{1,}", "\\u00e9", "\\xe9", "\\u{61}", "\\ud83d", "\\uD83D\\uDE00", "\\c", "\\cA", "\\0", "\\8", "\\x",
  "\\u", "\\p{L}", "\\-", "\\/", "/", "\\.", "\\n", "\\t", "\n", " ", ",", "A", "O", "K", "\u212a", "\u017f", "İ", "(?i)",
];
const texts = [
  "", "a", "b", "oi", "Oi", " oi", "oi ", "aa", "ab", "ba", "abab", "1", "10", "é", "e\u0301", "ç", "😀", "👋", "\ud83d",
  "a\nb", "oi\ntudo", "-", "a-b", "/", "k", "\u212a", "\u00a0", "\ufeff", "\u2028x", "{2}", "aé", "x", "]", "İ", "A", "\\",
  "p{L}", "olá", "u{61}", "uuuuu", "c", "\x01", "8", "\0", "👋😀",
];

function outcome(pattern) {
  try {
    const regex = new RegExp(pattern);
    return texts.flatMap((text, at) => (regex.test(text) ? [at] : []));
  } catch {
    return null;
  }
}

const patterns = new Map();
let refused = 0;
while (patterns.size < 4000) {
  let pattern = "";
  for (let left = 1 + random(7); left > 0; left--) pattern += parts[random(parts.length)];
  const found = outcome(pattern);
  if (patterns.has(pattern) || (found === null && refused >= 1500)) continue;
  refused += found === null;
  patterns.set(pattern, found);
}
const lines = [...patterns].map((pair) => "  " + JSON.stringify(pair));
console.log(`{\n "texts": ${JSON.stringify(texts)},\n "patterns": [\n${lines.join(",\n")}\n ]\n}`);
