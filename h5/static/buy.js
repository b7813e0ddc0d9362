// The check-out: what is to be paid follows the chosen voucher. The server counts for itself.
(function () {
  "use strict";
  var shown = document.querySelector("[data-role='to-pay']"), go = document.querySelector("button[data-go]");
  function follow(choice) {
    shown.textContent = choice.dataset.toPay;
    go.textContent = choice.dataset.go || go.dataset.go;
  }
  document.querySelectorAll("input[data-to-pay]").forEach(function (choice) {
    choice.addEventListener("change", function () { follow(choice); });
    if (choice.checked) { follow(choice); }
  });
})();
