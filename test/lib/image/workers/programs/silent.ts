/** A worker that never says hello, nor ends. */
setInterval(() => {}, 1000)
