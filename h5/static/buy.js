// The check-out: what is to be paid follows the chosen voucher. The server counts for itself.
(function () {
  "use strict";
  var shown = document.querySelector("[data-role='to-pay']");
  document.querySelectorAll("input[data-to-pay]").forEach(function (choice) {
    choice.addEventListener("change", function () { shown.textContent = choice.dataset.toPay; });
    if (choice.checked && shown) { shown.textContent = choice.dataset.toPay; }
  });
})();
