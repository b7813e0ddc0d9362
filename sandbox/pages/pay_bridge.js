// What WeChat puts into every page: the bridge to its cashier. This one opens the sandbox's.
(function () {
  "use strict";
  if (window.WeixinJSBridge) { return; }
  var STYLE = {% filter tojson %}{% include "cashier.css" %}{% endfilter %};
  var page = location.pathname + location.search;
  var phone = page.split("/")[2];

  function ask(how, asked) {
    return fetch("/phones/" + phone + "/pay", {
      method: "POST", headers: {"Content-Type": "application/json"},
      body: JSON.stringify({page: page, asked: asked, how: how}),
    }).then(function (answer) { return answer.json(); });
  }

  function make(tag, name, text) {
    var element = document.createElement(tag);
    if (name) { element.className = name; }
    if (text) { element.textContent = text; }
    return element;
  }

  function button(name, text, role, tapped) {
    var element = make("button", name, text);
    element.type = "button";
    element.dataset.role = role;
    element.addEventListener("click", tapped, {once: true});
    return element;
  }

  function sum(text) {
    var element = make("p", "cashier-sum");
    element.dataset.role = "cashier-amount";
    element.append(make("small", "", "¥"), text);
    return element;
  }

  // A sheet over the whole page, out of reach of the page's own styles.
  function open() {
    var host = make("div");
    host.dataset.role = "cashier";
    host.style.cssText = "position:fixed;inset:0;z-index:2147483647";
    var inside = host.attachShadow({mode: "open"});
    var sheet = make("main", "cashier-sheet"), around = make("div", "cashier cashier-over");
    around.append(sheet, make("p", "cashier-foot", "沙盒里的微信支付，不是真的钱"));
    inside.append(make("style", "", STYLE), around);
    document.body.append(host);
    return {
      show: function () { sheet.replaceChildren.apply(sheet, arguments); },
      close: function () { host.remove(); },
    };
  }

  function facts(shown) {
    var list = make("dl", "cashier-facts");
    [["商品", shown.description], ["付款方式", "零钱"]].forEach(function (pair) {
      var row = make("div");
      row.append(make("dt", "", pair[0]), make("dd", "", pair[1]));
      list.append(row);
    });
    return list;
  }

  function pay(asked, callback) {
    var sheet = open();
    function end(told) { sheet.close(); callback(told); }
    function fail(why) {
      sheet.show(make("p", "cashier-mark cashier-alarm", "!"), make("h1", "", why),
        button("cashier-go", "知道了", "cashier-done", function () { end({err_msg: "get_brand_wcpay_request:fail"}); }));
    }
    function tap(how) {
      ask(how, asked).then(function (told) {
        if (told.err_desc) { fail(told.err_desc); return; }
        if (how === "cancel") { end(told); return; }
        sheet.show(make("p", "cashier-mark", "✓"), make("h1", "", "支付成功"), sum(shown.sum),
          button("cashier-go", "完成", "cashier-done", function () { end(told); }));
      }, function () { fail("网络不可用"); });
    }
    var shown;
    ask("look", asked).then(function (answer) {
      shown = answer;
      if (shown.problem) { tap("ok"); return; }
      var cross = button("cashier-close", "✕", "sandbox-cancel", function () { tap("cancel"); });
      cross.setAttribute("aria-label", "关闭");
      sheet.show(cross, make("p", "cashier-to", "付款给 " + shown.merchant), sum(shown.sum), facts(shown),
        button("cashier-go", "确认支付", "sandbox-pay", function () { tap("ok"); }));
    }, function () { fail("网络不可用"); });
  }

  window.WeixinJSBridge = {
    invoke: function (name, asked, callback) {
      if (name === "getBrandWCPayRequest") { pay(asked, callback || function () {}); return; }
      if (callback) { callback({err_msg: name + ":fail the sandbox does not play this"}); }
    },
    call: function () {},
    on: function () {},
  };
  function ready() { document.dispatchEvent(new Event("WeixinJSBridgeReady")); }
  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", ready); } else { ready(); }
})();
