// The npm clients of WeChat at the command of a test: a line {on, method, args} comes in, a line {value} or {error} goes out.
"use strict";
const https = require("https");
const net = require("net");
const readline = require("readline");
const WeChatAPI = require("co-wechat-api");
const WeChatOAuth = require("co-wechat-oauth");
const WeChatCrypto = require("wechat-crypto");

const told = JSON.parse(process.argv[2]);

// Both clients hard-code https://api.weixin.qq.com: whatever they ask for by https goes to the sandbox, in clear.
class ToSandbox extends https.Agent {
  createConnection() {
    return net.connect(told.port, "127.0.0.1");
  }
}
const agent = new ToSandbox({ keepAlive: true });
const clients = {
  api: new WeChatAPI(told.app_id, told.app_secret),
  oauth: new WeChatOAuth(told.app_id, told.app_secret),
  crypto: new WeChatCrypto(told.token, told.aes_key, told.app_id),
};
clients.api.setOpts({ agent });
clients.oauth.setOpts({ agent });

async function answer({ on, method, args }) {
  try {
    return { value: await clients[on][method](...args) };
  } catch (error) {
    return { error: { name: error.name, code: error.code, message: error.message } };
  }
}

readline.createInterface({ input: process.stdin }).on("line", async (line) => {
  process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
}).on("close", () => agent.destroy());
