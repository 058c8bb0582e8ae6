// Answers requests with NestJS.
//
//     node replier.js SERVERS TOPIC
import 'reflect-metadata';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  MessagePattern, type MicroserviceOptions, Payload, RpcException, Transport,
} from '@nestjs/microservices';

const [servers, topic] = process.argv.slice(2);

@Controller()
class Replier {
  @MessagePattern(topic)
  answer(@Payload() request: any) {
    if (request.fail) throw new RpcException({ code: 'refused', message: request.id });
    const { id, key } = request;
    // NestJS would send a bare object that has a `key` without a value.
    return { key, value: { id, key, status: 'applied' } };
  }
}

@Module({ controllers: [Replier] })
class Peer {}

const app = await NestFactory.createMicroservice<MicroserviceOptions>(Peer, {
  transport: Transport.KAFKA,
  options: {
    client: { brokers: servers.split(',') },
    consumer: { groupId: topic },
    subscribe: { fromBeginning: true },
  },
});
await app.listen();
console.log('ready');
