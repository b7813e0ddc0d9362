// The order's page: opens WeChat's cashier, and follows what our own server says of the order.
(function () {
  "use strict";
  var page = document.querySelector("[data-order]");
  if (!page) { return; }
  var path = "/orders/" + page.dataset.order;
  var button = page.querySelector("button[data-pay]");
  var said = page.querySelector("[data-pay-said]");
  var looks = 0, timer = null;

  // Whoever pays elsewhere (the QR, another phone) is noticed here too; what WeChat's cashier says is never believed.
  function follow() {
    fetch(path, {headers: {Accept: "application/json"}, credentials: "same-origin"}).then(function (answer) {
      return answer.ok ? answer.json() : null;
    }).then(function (now) {
      if (now && now.mark !== page.dataset.mark) { location.reload(); return; }
      again();
    }, again);
  }

  function again() {
    looks += 1;
    clearTimeout(timer);
    timer = setTimeout(follow, looks < 60 ? 2000 : 10000);
  }

  function check() {
    var form = page.querySelector("form[action$='/check']");
    if (form) { form.submit(); } else { location.reload(); }
  }

  function pay() {
    button.disabled = true;
    said.textContent = "正在打开微信支付……";
    window.WeixinJSBridge.invoke("getBrandWCPayRequest", JSON.parse(button.dataset.pay), function (answer) {
      button.disabled = false;
      if (answer.err_msg === "get_brand_wcpay_request:ok") {
        said.textContent = "正在确认付款结果……";
        check();
      } else if (answer.err_msg === "get_brand_wcpay_request:cancel") {
        said.textContent = "没有付款。想好了可以再点上面的按钮。";
      } else {
        said.textContent = "微信支付没有打开，请稍后再试，或回到课程页重新下单。";
      }
    });
  }

  if (button) {
    button.addEventListener("click", function () {
      if (window.WeixinJSBridge) { pay(); return; }
      said.textContent = "正在等微信……";
      document.addEventListener("WeixinJSBridgeReady", pay, {once: true});
    });
  }
  if ("moves" in page.dataset) { again(); }
})();
