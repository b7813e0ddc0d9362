// npm `wechat` on `connect`, as its documentation shows it.
const connect = require('connect');
const http = require('http');
const wechat = require('wechat');

const { TOKEN, AES_KEY, APP_ID, HELP } = process.env;
const app = connect();
app.use((req, res, next) => {
  const at = req.url.indexOf('?');
  req.query = require('querystring').parse(req.url.slice(at + 1)); // as connect's own middleware did
  next();
});
app.use('/wx/push', wechat({ token: TOKEN, appid: APP_ID, encodingAESKey: AES_KEY })
  .text((message, req, res) => res.reply(HELP))
  .middlewarify());
http.createServer(app).listen(Number(process.argv[2]), '127.0.0.1');
