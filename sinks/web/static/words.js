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
    if (pattern.test(text)) return text.replace(pattern, said);
  }
  return text;
}
