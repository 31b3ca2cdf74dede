/**
 * What we use of undici, as its index gives it: that loads fetch, WebSocket, caches and mocks too, a third of the bundle.
 * Forms are what only `kinwatch setup kibana` sends.
 */
const Dispatcher = require("undici/lib/dispatcher/dispatcher.js");

Object.assign(Dispatcher.prototype, require("undici/lib/api"));

module.exports = {
  Agent: require("undici/lib/dispatcher/agent.js"),
  Client: require("undici/lib/dispatcher/client.js"),
  ProxyAgent: require("undici/lib/dispatcher/proxy-agent.js"),
  get FormData() {
    return require("undici/lib/web/fetch/formdata.js").FormData;
  },
};
