/** Waiting without a clock. Runs in workers. */

/** Once this worker has read the messages that lie there. A timer would wait four milliseconds by itself. @returns {Promise<void>} */
export const nextTurn = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
