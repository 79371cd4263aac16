// The page's words in its language, and the models' own sentences said in it.

export const language = document.documentElement.dataset.language;

const answer = await fetch(`/words/${language}.json`);
const { words, sentences } = await answer.json();
const patterns = sentences.map(([pattern, said]) => [new RegExp(pattern), said]);

export function say(key, values = {}) {
  const text = words[key];
  if (text === undefined) throw new Error(`no word ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export function sayOr(key, otherwise) {
  return words[key] ?? otherwise;
}

export function saySentence(text) {
  for (const [pattern, said] of patterns) {
    const found = pattern.exec(text);
    if (found) return said.replace(/\$(\d)/g, (_, place) => named(found[place] ?? ""));
  }
  return text;
}

// A sentence may name an event or a rule, or several.
function named(part) {
  const names = part.split(" or ").map((one) => words[`event_${one}`] ?? words[`rule_${one}`]);
  return names.every(Boolean) ? names.join(words.either_or) : part;
}
