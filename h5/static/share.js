// The card that WeChat shows when somebody sends this page on. Loaded inside WeChat only, after its own script.
(function () {
  "use strict";

  if (typeof window.wx === "undefined" || !window.wx.config) {
    return; // WeChat's script did not come: the page is shared as a plain link
  }
  var card = document.getElementById("share-card");
  var page = window.location.pathname + window.location.search;
  fetch("/wx/share?path=" + encodeURIComponent(page), {headers: {Accept: "application/json"}})
    .then(function (answer) {
      return answer.ok ? answer.json() : null;
    })
    .then(function (signed) {
      if (!signed) {
        return;
      }
      window.wx.config({
        appId: signed.appId,
        timestamp: signed.timestamp,
        nonceStr: signed.nonceStr,
        signature: signed.signature,
        jsApiList: ["updateAppMessageShareData", "updateTimelineShareData"],
      });
      window.wx.ready(function () {
        var shown = {title: card.dataset.title, desc: card.dataset.words, link: card.dataset.link, imgUrl: ""};
        window.wx.updateAppMessageShareData(shown);
        window.wx.updateTimelineShareData(shown);
      });
    })
    .catch(function () {
      return null; // the page works without a card
    });
})();
