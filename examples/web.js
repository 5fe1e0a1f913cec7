// A small HTTP server: says hello, logs each request, leaves politely on SIGTERM.
const http = require('node:http');

const port = Number(process.env.PORT || 3000);
let served = 0;

const server = http.createServer((request, response) => {
  served += 1;
  console.log(`${request.method} ${request.url}`);
  response.writeHead(200, { 'Content-Type': 'text/plain', 'X-App': 'web' });
  response.end(`Hello from ${process.env.VELOS_NAME || 'web'}, pid ${process.pid}: request ${served}\n`);
});

server.on('error', (error) => {
  if (error.code !== 'EADDRINUSE') throw error;
  console.error(`port ${port} is taken (EADDRINUSE): set PORT to another`);
  process.exit(1);
});

server.listen(port, '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${port}`);
  if (process.send) process.send('ready'); // for wait_ready
});

process.on('SIGTERM', () => {
  console.log(`leaving after ${served} requests`);
  server.close(() => process.exit(0));
  server.closeAllConnections();
});
