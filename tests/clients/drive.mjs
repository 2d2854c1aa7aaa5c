// The official TypeScript SDK as a client. Reads on stdin {command, args, env, cases: {name: {prompt, answer, cancelAt,
// mcpServers, forms, available, cwd}}, again: {...}, goesOn: "name", mode: "id", last: {...}}, plays every case in a session of its
// own, takes that of `again` up again in every way there is, leaves in the middle of the last, and prints as JSON what
// each saw, every message of the server that the SDK refused (its zod validation reports those on the console), how the
// server ended, and the whole wire.

import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { relative } from "node:path";
import { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import * as acp from "@agentclientprotocol/sdk";

const { agent: AGENT, client: CLIENT } = acp.methods;
const refused = [];
const wire = [];
for (const level of ["error", "warn", "log"]) {
  console[level] = (...words) => refused.push(words.map((word) => JSON.stringify(word) ?? String(word)).join(" "));
}

function tap(direction) {
  return new TransformStream({
    transform(message, controller) {
      wire.push([direction, message]);
      controller.enqueue(message);
    },
  });
}

const given = JSON.parse(await text(process.stdin));
const server = spawn(given.command, given.args, { env: given.env, stdio: ["pipe", "pipe", "inherit"] });
const exited = new Promise((resolve) => server.once("exit", (code, signal) => resolve(code ?? signal)));
const stream = acp.ndJsonStream(Writable.toWeb(server.stdin), Readable.toWeb(server.stdout));
const outgoing = tap("sent");
void outgoing.readable.pipeTo(stream.writable).catch(() => {});
const tapped = { readable: stream.readable.pipeThrough(tap("received")), writable: outgoing.writable };

const sessions = new Map();

class Session {
  constructor(id, played) {
    Object.assign(this, { id, played });
    this.begun = new Promise((resolve) => (this.begin = resolve));
    this.seen = {
      stopReason: "",
      text: "",
      calls: [],
      questions: [],
      wrote: [],
      available: [],
      forms: [],
      completed: [],
    };
    this.calls = new Map();
    this.updates = [];
    this.announced = new Promise((resolve) => (this.announce = resolve));
  }

  update(update) {
    this.updates.push(structuredClone(update));
    switch (update.sessionUpdate) {
      case "agent_message_chunk":
        this.seen.text += update.content.text;
        this.begin();
        return this.cancelAt("text");
      case "tool_call":
      case "tool_call_update": {
        const call = { ...this.calls.get(update.toolCallId), ...update };
        this.calls.set(update.toolCallId, call);
        this.seen.calls = [...this.calls.values()].map(({ title, status }) => [title, status]);
        return this.cancelAt(call.status);
      }
      case "available_commands_update":
        this.seen.available = update.availableCommands.map(({ name }) => name);
        // A server is there with its prompts.
        return this.seen.available.length === this.played.available.length && this.announce();
    }
  }

  cancelAt(moment) {
    if (moment === this.played.cancelAt) {
      this.played.cancelAt = null;
      return agent.notify(AGENT.session.cancel, { sessionId: this.id });
    }
  }
}

const app = acp
  .client({ name: "openhands-acp-tests" })
  .onNotification(CLIENT.session.update, ({ params }) => {
    // What is sent before the answer to `session/new` is for nobody: Zed drops it.
    const session = sessions.get(params.sessionId);
    if (session === undefined) refused.push(`an update of an unknown session: ${JSON.stringify(params)}`);
    return session?.update(params.update);
  })
  .onRequest(CLIENT.session.requestPermission, ({ params }) => {
    const { seen, played } = sessions.get(params.sessionId);
    seen.questions.push([params.toolCall.title, ...params.options.map(({ kind }) => kind)]);
    const { optionId } = params.options.find(({ kind }) => kind === played.answer);
    return { outcome: { outcome: "selected", optionId } };
  })
  .onRequest(CLIENT.elicitation.create, ({ params }) => {
    const { seen, played } = sessions.get(params.sessionId);
    const what = params.mode === "form" ? Object.keys(params.requestedSchema.properties) : params.url;
    seen.forms.push([params.mode, params.message, what]);
    return played.forms[seen.forms.length - 1];
  })
  .onNotification(CLIENT.elicitation.complete, ({ params }) => {
    // It names no session.
    [...sessions.values()].at(-1).seen.completed.push(params.elicitationId);
  })
  .onRequest(CLIENT.fs.readTextFile, async ({ params }) => {
    try {
      return { content: await readFile(params.path, "utf8") };
    } catch {
      throw acp.RequestError.resourceNotFound(params.path);
    }
  })
  .onRequest(CLIENT.fs.writeTextFile, async ({ params }) => {
    const { seen, played } = sessions.get(params.sessionId);
    seen.wrote.push(relative(played.cwd, params.path));
    await writeFile(params.path, params.content);
    return {};
  });

async function open(played) {
  const { sessionId } = await agent.request(AGENT.session.new, {
    cwd: played.cwd,
    mcpServers: played.mcpServers,
  });
  const session = new Session(sessionId, played);
  sessions.set(sessionId, session);
  await session.announced;
  return session;
}

function prompt({ id, played }) {
  return agent.request(AGENT.session.prompt, { sessionId: id, prompt: [{ type: "text", text: played.prompt }] });
}

async function play(played) {
  const session = await open(played);
  session.seen.stopReason = (await prompt(session)).stopReason;
  await agent.request(AGENT.session.close, { sessionId: session.id });
  return session.seen;
}

async function takeUp(played, goesOn, modeId) {
  await play(played);
  const [[sessionId, live]] = [...sessions].slice(-1);
  const place = { sessionId, cwd: played.cwd, mcpServers: [] };
  const told = async (method) => {
    const session = new Session(sessionId, played);
    sessions.set(sessionId, session);
    const { modes, configOptions } = await agent.request(method, place);
    await session.announced;
    const [{ currentValue }] = configOptions.filter(({ category }) => category === "mode");
    return { modes: [modes.currentModeId, currentValue], seen: { ...session.seen } };
  };
  const list = async () => {
    const { sessions } = await agent.request(AGENT.session.list, { cwd: played.cwd });
    return sessions.map((info) => [info.sessionId === sessionId, info.title, info._meta.messageCount]);
  };
  const loaded = await told(AGENT.session.load);
  const updates = [live.updates, [...sessions.get(sessionId).updates]];
  await agent.request(AGENT.session.setMode, { sessionId, modeId });
  const resumed = await told(AGENT.session.resume);
  const { stopReason } = await prompt({ id: sessionId, played: goesOn });
  const text = sessions.get(sessionId).seen.text;
  // Not among the methods that this SDK calls stable.
  const forked = await agent.request("session/fork", place);
  const forkedIn = forked.modes.currentModeId;
  await agent.request(AGENT.session.setConfigOption, { sessionId, configId: "mode", value: "always-ask" });
  const copy = new Session(forked.sessionId, played);
  sessions.set(copy.id, copy);
  await copy.announced;
  await agent.request(AGENT.session.close, { sessionId });
  const listed = await list();
  await agent.request(AGENT.session.delete, { sessionId });
  await agent.request(AGENT.session.delete, { sessionId });
  const gone = await refusal(agent.request(AGENT.session.load, place));
  const isNew = forked.sessionId !== sessionId;
  const taken = { loaded, resumed, stopReason, text, isNew, forkedIn, listed, afterwards: await list(), gone: gone.code };
  return { taken, updates };
}

async function leave(played) {
  const session = await open(played);
  prompt(session).catch(() => {});
  await session.begun;
  const begun = performance.now();
  server.stdin.end();
  const code = await exited;
  return { code, seconds: (performance.now() - begun) / 1000 };
}

async function refusal(request) {
  try {
    return await request;
  } catch (error) {
    return { code: error.code, data: error.data };
  }
}

const { agent } = app.connect(tapped);
const { protocolVersion } = await agent.request(AGENT.initialize, {
  protocolVersion: acp.PROTOCOL_VERSION,
  clientCapabilities: { fs: { readTextFile: true, writeTextFile: true }, elicitation: { form: {}, url: {} } },
  clientInfo: { name: "openhands-acp-tests", version: "0" },
});
const wrongCwd = await refusal(agent.request(AGENT.session.new, { cwd: "not/absolute", mcpServers: [] }));
const seen = {};
for (const [name, played] of Object.entries(given.cases)) {
  seen[name] = await play(played);
}
const again = await takeUp(given.again, given.cases[given.goesOn], given.mode);
const exit = await leave(given.last);

process.stdout.write(JSON.stringify({ protocolVersion, wrongCwd, seen, again, exit, refused, wire }));
