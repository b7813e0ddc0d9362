// The npm client of WeChat Pay at the command of a test: a line {on, method, args} comes in, a line {value} or {error} goes out.
"use strict";
const https = require("https");
const net = require("net");
const readline = require("readline");
const Pay = require("wechatpay-node-v3");

const told = JSON.parse(process.argv[2]);

// It hard-codes https://api.mch.weixin.qq.com: whatever it asks for by https goes to the sandbox, in clear.
class ToSandbox extends https.Agent {
  createConnection() {
    return net.connect(told.port, "127.0.0.1");
  }
}
https.globalAgent = new ToSandbox({ keepAlive: true });
const clients = {
  pay: new Pay({
    appid: told.app_id,
    mchid: told.mch_id,
    publicKey: Buffer.from(told.certificate),
    privateKey: Buffer.from(told.private_key),
    key: told.api_v3_key,
  }),
};

async function answer({ on, method, args }) {
  try {
    return { value: await clients[on][method](...args) };
  } catch (error) {
    return { error: { name: error.name, code: error.code, message: error.message } };
  }
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
}).on("close", () => https.globalAgent.destroy());
