// What the dashboard strategy makes of Home Assistant's registries. `node --test tests/frontend`

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { INTEGRATION, strategy } from "./strategy.mjs";

const texts = JSON.parse(readFileSync(new URL("translations/en.json", INTEGRATION))).config_panel.dashboard;

const PORTAL_KEYS = { portal: "binary_sensor", connector_paid: "binary_sensor", free_minutes: "sensor" };
const LINE_KEYS = {
  registration: "binary_sensor",
  problem: "sensor",
  status: "sensor",
  uptime_30d: "sensor",
};

/** Return what the frontend knows of portals, each a name with the names of its lines. */
function house(portals, change = () => {}) {
  const hass = { language: "en", devices: {}, entities: {} };
  const add = (id, name, via, keys) => {
    hass.devices[id] = { id, name, name_by_user: null, via_device_id: via, labels: [] };
    for (const [key, domain] of Object.entries(keys)) {
      const entity_id = `${domain}.${id}_${key}`;
      hass.entities[entity_id] = { entity_id, device_id: id, platform: "bitrix24_sip", translation_key: key, labels: [] };
    }
  };
  for (const [name, lines] of Object.entries(portals)) {
    add(name, name, null, PORTAL_KEYS);
    for (const line of lines) add(`${name}_${line.toLowerCase()}`, line, name, LINE_KEYS);
  }
  change(hass);
  return hass;
}

const office = (change) => house({ acme: ["Sales", "Main", "Warehouse"] }, change);
const namesOf = (portals) => portals.map(({ name, lines }) => [name, lines.map((line) => line.name)]);
const all = (config) => [config, ...[config.sections, config.cards].flatMap((inner) => (inner ?? []).flatMap(all))];
const cardsOf = (config, type) => all(config).filter((card) => card.type === type);

test("portals and lines are sorted by name", () => {
  const hass = house({ beta: ["Fax 10", "Émile", "Fax 9"], acme: ["Main"] });
  assert.deepEqual(namesOf(strategy.readPortals(hass)), [
    ["acme", ["Main"]],
    ["beta", ["Émile", "Fax 9", "Fax 10"]],
  ]);
});

test("a name that somebody gave counts, and takes one line", () => {
  const hass = office(({ devices }) => (devices.acme_main.name_by_user = " Reception\n desk "));
  assert.deepEqual(namesOf(strategy.readPortals(hass)), [["acme", ["Reception desk", "Sales", "Warehouse"]]]);
});

test("entities of others, without a device, or hidden are left out", () => {
  const hass = office(({ entities }) => {
    entities["binary_sensor.acme_main_registration"].hidden = true;
    entities["binary_sensor.acme_sales_registration"].platform = "other";
    entities["binary_sensor.acme_warehouse_registration"].device_id = "gone";
  });
  assert.deepEqual(namesOf(strategy.readPortals(hass)), [["acme", []]]);
});

for (const [options, expected] of [
  [{ portals: "acme" }, { acme: ["Main", "Sales"] }],
  [{ portals: ["binary_sensor.beta_portal"] }, { beta: ["Fax"] }],
  [{ lines: "Sales" }, { acme: ["Sales"], beta: [] }],
  [{ lines: ["binary_sensor.acme_main_registration", "beta_fax"] }, { acme: ["Main"], beta: ["Fax"] }],
  [{ labels: "important" }, { acme: ["Main"], beta: ["Fax"] }],
  [{ lines: ["Sales"], labels: ["important"] }, { acme: ["Main", "Sales"], beta: ["Fax"] }],
  [{ portals: [], lines: null, labels: [] }, { acme: ["Main", "Sales"], beta: ["Fax"] }],
  [{ lines: ["Nobody"] }, { acme: [], beta: [] }],
]) {
  test(`options choose: ${JSON.stringify(options)}`, () => {
    const hass = house({ acme: ["Sales", "Main"], beta: ["Fax"] }, ({ devices, entities }) => {
      devices.acme_main.labels = ["important"];
      entities["binary_sensor.beta_fax_registration"].labels = ["important"];
    });
    assert.deepEqual(namesOf(strategy.readPortals(hass, options)), Object.entries(expected));
  });
}

test("each line has one row for each state, lines that are down first", () => {
  const [{ lines }] = strategy.readPortals(office());
  const rows = strategy.lineRows(lines);
  const shown = rows.map(({ visibility: [condition], cards }) => [condition.state, cards[0].name]);
  const states = ["off", "unknown", "unavailable", "on"];
  assert.deepEqual(
    shown,
    states.flatMap((state) => ["Main", "Sales", "Warehouse"].map((name) => [state, name])),
  );
  for (const { visibility } of rows) assert.match(visibility[0].entity, /^binary_sensor\..*_registration$/);
});

test("a line that is down says why, an unsettled one what the portal does", () => {
  const [{ lines }] = strategy.readPortals(office());
  const [down, unsettled, unknown, registered] = strategy.lineRows(lines.slice(0, 1));
  assert.deepEqual(down.cards.map(({ entity }) => entity), [
    "binary_sensor.acme_main_registration",
    "sensor.acme_main_problem",
  ]);
  assert.deepEqual(unsettled.cards.map(({ entity }) => entity), ["sensor.acme_main_status"]);
  assert.deepEqual(unknown.cards.map(({ entity }) => entity), ["binary_sensor.acme_main_registration"]);
  assert.deepEqual(registered.cards.map(({ entity }) => entity), ["binary_sensor.acme_main_registration"]);
});

test("what is disabled is left out", () => {
  const hass = office(({ entities }) => {
    for (const key of ["problem", "status", "uptime_30d"]) delete entities[`sensor.acme_main_${key}`];
    delete entities["sensor.acme_free_minutes"];
  });
  const config = strategy.viewConfig(hass, { lines: "Main" }, texts);
  const entities = cardsOf(config, "tile").map(({ entity }) => entity);
  assert.deepEqual([...new Set(entities)], [
    "binary_sensor.acme_main_registration",
    "binary_sensor.acme_portal",
    "binary_sensor.acme_connector_paid",
  ]);
  assert.deepEqual(cardsOf(config, "logbook"), []);
  assert.deepEqual(cardsOf(config, "entities"), []);
});

test("the sentence holds every name as a literal", () => {
  const hass = office(({ devices }) => (devices.acme_main.name = 'A "quoted" {{ name }}'));
  const { content } = strategy.sentence(strategy.readPortals(hass), texts);
  assert.ok(content.includes('{"id":"binary_sensor.acme_main_registration","name":"A \\"quoted\\" {{ name }}"}'));
});

test("lines of one name are told apart by their portals", () => {
  const { content } = strategy.sentence(strategy.readPortals(house({ acme: ["Main", "Fax"], beta: ["Main"] })), texts);
  for (const name of ['"Main (acme)"', '"Main (beta)"', '"Fax"']) assert.ok(content.includes(name), name);
});

test("there is a bar for each line, and a card for each portal that has lines", () => {
  const one = cardsOf(strategy.viewConfig(office(), {}, texts), "history-graph");
  assert.deepEqual(one.map(({ title, entities }) => [title, entities.length]), [[undefined, 3]]);
  const two = house({ acme: ["Main"], beta: ["Fax"], gamma: [] });
  const cards = cardsOf(strategy.viewConfig(two, {}, texts), "history-graph");
  assert.deepEqual(cards.map(({ title }) => title), ["acme", "beta"]);
});

test("of a line, only its problem is in the activity", () => {
  const [card] = cardsOf(strategy.viewConfig(office(), { lines: "Main" }, texts), "logbook");
  assert.deepEqual(card.target, { entity_id: ["sensor.acme_main_problem"] });
});

test("the uptime of each line is listed", () => {
  const [card] = cardsOf(strategy.viewConfig(office(), {}, texts), "entities");
  assert.deepEqual(card.entities, [
    { entity: "sensor.acme_main_uptime_30d", name: "Main" },
    { entity: "sensor.acme_sales_uptime_30d", name: "Sales" },
    { entity: "sensor.acme_warehouse_uptime_30d", name: "Warehouse" },
  ]);
});

test("the portal part can be hidden", () => {
  const shown = strategy.viewConfig(office(), {}, texts);
  const hidden = strategy.viewConfig(office(), { hide_portal: true }, texts);
  assert.ok(JSON.stringify(shown).includes("acme_portal"));
  assert.ok(!JSON.stringify(hidden).includes("acme_portal"));
  assert.equal(strategy.viewConfig(office(), { columns: 4 }, texts).max_columns, 4);
  const section = strategy.sectionConfig(office(), { hide_portal: true }, texts);
  assert.ok(!JSON.stringify(section).includes("acme_portal"));
});

test("many lines get two columns", () => {
  const lines = Array.from({ length: 50 }, (_, index) => `Line ${index}`);
  const view = strategy.viewConfig(house({ acme: lines }), {}, texts);
  assert.deepEqual(view.sections.map((section) => section.column_span), [3, 2, undefined, undefined]);
});

test("without a line there is a hint, and nothing else", () => {
  const view = strategy.viewConfig({ language: "en", devices: {}, entities: {} }, {}, texts);
  assert.equal(view.sections.length, 1);
  assert.equal(cardsOf(view, "markdown")[0].content, texts.no_lines);
});

test("the dashboard hands its options to its view", () => {
  const options = { type: "custom:bitrix24-sip", portals: ["acme"], columns: 2 };
  const { views, title } = strategy.dashboardConfig({}, options, texts);
  assert.equal(title, texts.title);
  assert.deepEqual(views.map((view) => view.strategy), [options]);
});

test("the section has all of it", () => {
  const section = strategy.sectionConfig(house({ acme: ["Main"], beta: ["Fax"] }), {}, texts);
  const headings = cardsOf(section, "heading").map(({ heading }) => heading);
  assert.deepEqual(headings, ["acme", "beta", texts.history, texts.uptime, "acme", "beta"]);
  assert.equal(cardsOf(section, "logbook").length, 1);
  assert.equal(cardsOf(section, "history-graph").length, 2);
});

test("the form offers portals and lines by name, and every option", () => {
  const schema = strategy.formSchema(house({ acme: ["Main"], beta: ["Fax"] }));
  const labelled = Object.keys(texts).filter((key) => key.startsWith("option_"));
  assert.deepEqual(schema.map(({ name }) => `option_${name}`).sort(), labelled);
  const labels = schema.slice(0, 2).map(({ selector }) => selector.select.options.map(({ label }) => label));
  assert.deepEqual(labels, [["acme", "beta"], ["Main", "Fax"]]);
});
