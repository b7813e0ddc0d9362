// Small helps; every page works without them.
(function () {
  "use strict";

  // Copy the link; where the browser does not allow it, select it and say how to go on.
  document.querySelectorAll("[data-copy]").forEach(function (button) {
    var field = document.getElementById(button.dataset.copy);
    var said = document.getElementById("copied");

    function done() {
      button.textContent = "已复制";
      said.textContent = "链接已复制。打开微信，粘贴发送，再点开它。";
    }

    function byHand() {
      field.focus();
      field.select();
      field.setSelectionRange(0, field.value.length);
      var copied = false;
      try {
        copied = document.execCommand("copy");
      } catch (refused) {
        copied = false; // some browsers throw where others answer false
      }
      if (copied) {
        done();
      } else {
        said.textContent = "链接已选中，请长按它，再点「复制」。";
      }
    }

    button.hidden = false;
    button.addEventListener("click", function () {
      if (navigator.clipboard && window.isSecureContext) {
        navigator.clipboard.writeText(field.value).then(done, byHand);
      } else {
        byHand();
      }
    });
    field.addEventListener("click", function () {
      field.select();
    });
  });

  // A second tap while the first is under way would only be refused: take the button out of reach meanwhile.
  document.querySelectorAll("form[data-once]").forEach(function (form) {
    form.addEventListener("submit", function () {
      form.querySelectorAll("button[type=submit]").forEach(function (button) {
        button.setAttribute("aria-busy", "true");
        button.disabled = true;
      });
    });
  });
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("button[aria-busy]").forEach(function (button) {
      button.removeAttribute("aria-busy");
      button.disabled = false;
    });
  });
})();
