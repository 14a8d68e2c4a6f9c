// Print the template of the sentence: `node tests/frontend/sentence.mjs PORTALS TEXTS`, both as JSON.

import { strategy } from "./strategy.mjs";

const [portals, texts] = process.argv.slice(2).map((argument) => JSON.parse(argument));
process.stdout.write(strategy.sentence(portals, texts).content);
